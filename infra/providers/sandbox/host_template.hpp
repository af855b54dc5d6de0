// The `host` template: the lower layer of every environment's root, beside the host's /usr. Never
// the host's /, and of its /etc only what is listed in host_template.cpp and readable by everyone;
// users, sudo, PAM, resolver are generated.
//
//   DIR/templates/host-<fingerprint>/   etc/ …, bin -> usr/bin …, mount points usr/ home/ proc/ …
//
// A changed input makes a new folder: a layer in use is never written. Not thread-safe: called
// once at start.
#pragma once

#include <string>
#include <vector>

#include "actors/ports/environment_host.hpp"

namespace berth {

struct built_template {
  std::string path;                   // absolute
  std::vector<std::string> problems;  // for a person: what will not work inside
};
// `reduced`: the one uid there is is called dev.
host_result<built_template> build_host_template(const std::string& data_dir, bool reduced);

// What is installed, by looking; the version is the package's where there is a package.
template_info describe_host_template();

}  // namespace berth
