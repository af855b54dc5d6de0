#include "tests/bench/terminals/server_process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace berth::bench {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in{file};
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

std::uint64_t status_kib(int pid, const std::string& field) {
  std::istringstream status{text_of("/proc/" + std::to_string(pid) + "/status")};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoull(line.substr(field.size()));
  return 0;
}

// utime + stime of a process's or thread's stat file.
double seconds_of(const fs::path& stat) {
  const auto text = text_of(stat);
  const auto name_end = text.rfind(')');  // a name may hold spaces
  if (name_end == std::string::npos) return 0;
  std::istringstream fields{text.substr(name_end + 2)};
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state … cmajflt
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<int> agents() {
  std::vector<int> found;
  for (const auto& each : fs::directory_iterator{"/proc"}) {
    const auto name = each.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (text_of(each.path() / "comm") == "berth-agent\n") found.push_back(std::stoi(name));
  }
  return found;
}

}  // namespace

std::uint64_t server_process::resident_kib() const {
  return status_kib(pid_, "VmRSS:");
}

std::uint64_t server_process::agents_resident_kib() const {
  std::uint64_t all = 0;
  for (const int agent : agents()) all += status_kib(agent, "VmRSS:");
  return all;
}

std::uint64_t server_process::threads() const {
  return status_kib(pid_, "Threads:");
}

cpu_use server_process::cpu() const {
  cpu_use all;
  std::error_code gone;
  for (const auto& thread :
       fs::directory_iterator{"/proc/" + std::to_string(pid_) + "/task", gone}) {
    const int id = std::stoi(thread.path().filename().string());
    (::getpriority(PRIO_PROCESS, static_cast<id_t>(id)) > 0 ? all.idle_seconds : all.seconds) +=
        seconds_of(thread.path() / "stat");
  }
  for (const int agent : agents())
    all.seconds += seconds_of("/proc/" + std::to_string(agent) + "/stat");
  return all;
}

}  // namespace berth::bench
