// doctor: is the server there, does this login work, what can the machine do, what should be done
// about it.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

enum class verdict { good, warning, bad };

class findings {
 public:
  void add(verdict found, const std::string& what, const std::string& detail,
           const std::string& next_step = {}) {
    static constexpr const char* names[] = {"ok", "warning", "problem"};
    items_.push_back(json::object{{"check", what},
                                  {"result", names[int(found)]},
                                  {"detail", detail},
                                  {"next_step", next_step}});
    worst_ = std::max(worst_, found);
  }
  verdict worst() const { return worst_; }
  void print(const app& run) const {
    if (run.json()) {
      fmt::print("{}\n", json::serialize(items_));
      return;
    }
    for (const auto& each : items_) {
      fmt::print("{:<8} {}: {}\n", text_of(each, "result"), text_of(each, "check"),
                 text_of(each, "detail"));
      if (const auto next = text_of(each, "next_step"); !next.empty())
        fmt::print("         -> {}\n", next);
    }
  }

 private:
  json::array items_;
  verdict worst_{verdict::good};
};

void check_config(app& run, findings& found) {
  struct stat status {};
  const auto path = config_path();
  if (::stat(path.c_str(), &status) != 0)
    found.add(verdict::good, "config", path.string() + " does not exist yet");
  else if ((status.st_mode & 077) != 0)
    found.add(verdict::warning, "config", path.string() + " can be read by others",
              "chmod 600 " + path.string());
  else
    found.add(verdict::good, "config", path.string());
  if (run.configured().server.starts_with("http://") &&
      !run.configured().server.starts_with("http://127.") &&
      !run.configured().server.starts_with("http://localhost") &&
      !run.configured().server.starts_with("http://[::1]"))
    found.add(verdict::warning, "transport", run.configured().server + " is not encrypted",
              "give the server a certificate (docs/operations.md) and use https://");
}

bool check_server(app& run, findings& found) {
  try {
    const auto answer = run.rest().once({.path = "/ready"});
    if (answer.status == 200) {
      found.add(verdict::good, "server", run.configured().server + " is ready");
      return true;
    }
    found.add(verdict::bad, "server",
              fmt::format("{} is not ready ({})", run.configured().server, answer.status),
              "look at the server's log");
  } catch (const failure& unreachable) {
    found.add(verdict::bad, "server", unreachable.what(),
              "start it with ./dev run (or berthd --data-dir DIR), or pass --server URL");
  }
  return false;
}

bool check_login(app& run, findings& found) {
  if (run.configured().token.empty()) {
    found.add(verdict::bad, "login", "there is no token",
              "devctl login --server URL --token-file FILE");
    return false;
  }
  const auto answer = run.rest().once({.path = "/api/v1/auth/whoami"});
  if (answer.status != 200) {
    found.add(verdict::bad, "login", text_of(answer.body, "error"),
              "devctl login with a valid token");
    return false;
  }
  found.add(verdict::good, "login", text_of(answer.body, "account.name"));
  return true;
}

void check_host(app& run, findings& found) {
  const auto host = run.rest().get("/api/v1/host");
  const bool works = text_of(host, "works") == "true";
  const bool whole = text_of(host, "isolation") == "full" && text_of(host, "limits") != "none";
  found.add(
      !works  ? verdict::bad
      : whole ? verdict::good
              : verdict::warning,
      "environments",
      fmt::format("provider {}, isolation {}, limits {}, network {}", text_of(host, "provider"),
                  text_of(host, "isolation"), text_of(host, "limits"), text_of(host, "network")));
  const auto* problems = host.as_object().if_contains("problems");
  if (!problems || !problems->is_array()) return;
  for (const auto& each : problems->as_array())
    found.add(works ? verdict::warning : verdict::bad, "machine", text_of(each));
}

void check_local(findings& found) {
  const char* terminal = std::getenv("TERM");
  const bool interactive = ::isatty(STDOUT_FILENO);
  if (interactive && (!terminal || std::string(terminal) == "dumb"))
    found.add(verdict::warning, "terminal", "TERM is not set", "export TERM=xterm-256color");
  if (std::system("command -v tar >/dev/null 2>&1") != 0)
    found.add(verdict::warning, "tar", "not found: `devctl cp` needs it", "install tar");
}

}  // namespace

void add_doctor_command(CLI::App& top, app& run) {
  top.add_subcommand("doctor", "what works, what doesn't, what to do")->callback([&run] {
    findings found;
    check_config(run, found);
    check_local(found);
    const bool there = check_server(run, found);
    if (there && check_login(run, found)) check_host(run, found);
    found.print(run);
    if (found.worst() == verdict::bad) run.exit = there ? int(exit_error) : int(exit_unavailable);
  });
}

}  // namespace berth::devctl
