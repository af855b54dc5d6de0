// berth-agent: --serve (inside an environment), --launcher (on the host), --version.
#include <cstdio>
#include <string_view>

#include "infra/agent/program/launcher/launcher.hpp"
#include "infra/agent/program/serve.hpp"
#include "infra/agent/program/version.hpp"
#include "infra/agent/protocol/frame.hpp"

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--version") {
    std::printf("berth-agent %s protocol %d\n", berth::agent::build_name,
                berth::agent::protocol_version_max);
    return 0;
  }
  if (mode == "--launcher") return launcher_main(argc - 1, argv + 1);
  return berth::agent::serve_main(argc, argv);
}
