// The generated files of the host template, as text. Pure but for read().
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace berth::template_files {

std::string read(const std::string& path);  // empty if unreadable
std::string passwd(bool reduced);
std::string group(bool reduced);
std::string shadow();
std::string sudoers();
std::string nsswitch();
std::string profile();
std::string hosts(const std::string& name);
// File below /etc/apt and its text.
std::vector<std::pair<std::string, std::string>> apt_sources();
std::vector<std::pair<std::string, std::string>> pam();

struct resolver {
  std::string text;
  std::string problem;  // empty: names will resolve if there is a network
};
// A stub on 127.0.0.x cannot be reached from an environment: systemd-resolved's upstream list is
// the fallback.
resolver resolv_conf(const std::string& host, const std::string& behind_the_stub);

}  // namespace berth::template_files
