// events [--follow]: the account's events as they are recorded; env logs is the same for one
// environment.
#include <poll.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/local_terminal.hpp"
#include "tools/devctl/paths.hpp"
#include "tools/printable.hpp"

namespace berth::devctl {
namespace json = boost::json;
namespace {

constexpr std::chrono::milliseconds ready_max{20'000};

struct options {
  bool follow{};
  std::string after;
  std::string stream;
};

// What a person wants to read of an event: its members, without the time the line begins with.
std::string summary(const json::value& event) {
  const auto* data = event.if_object() ? event.as_object().if_contains("data") : nullptr;
  if (!data || !data->is_object()) return {};
  std::string line;
  for (const auto& [name, value] : data->as_object()) {
    if (name == "at" || value.is_null()) continue;
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", std::string(name), text_of(value));
  }
  return line;
}

void print_event(const app& run, const json::value& event) {
  if (run.json()) {
    fmt::print("{}\n", json::serialize(event));
  } else {
    fmt::print("{}\n", printable(fmt::format("{}  {} v{}  {}  {}", text_of(event, "time"),
                                             text_of(event, "stream"), text_of(event, "version"),
                                             text_of(event, "type"), summary(event))));
  }
  std::fflush(stdout);
}

void follow(app& run, const options& asked) {
  run.authorised();
  signal_pipe signals;
  std::mutex mutex;
  std::optional<client::client_error> over;
  auto socket = client::client::start(socket_options(run.configured()));
  if (const auto ready = socket->wait_ready(ready_max); !ready) throw failure_of(ready.error());
  const auto feed =
      socket->follow_feed(asked.after, [&](client::client_result<client::notice> told) {
        if (told) {
          const auto event = json::parse(told->body);
          if (asked.stream.empty() || text_of(event, "stream") == asked.stream)
            print_event(run, event);
          return;
        }
        const std::lock_guard lock(mutex);
        over = told.error();
        signals.wake();
      });
  for (;;) {
    pollfd watched{signals.read_fd(), POLLIN, 0};
    ::poll(&watched, 1, -1);
    const int number = signals.take();
    if (number == SIGINT || number == SIGTERM || number == SIGHUP) return;
    const std::lock_guard lock(mutex);
    if (over) throw failure_of(*over);
  }
}

void print_all(app& run, const std::string& stream, std::string after) {
  json::array found;
  for (;;) {
    const auto page = run.authorised().get("/api/v1/events?limit=100" +
                                           (after.empty() ? "" : "&after=" + encoded(after)));
    const auto& items = page.at("items").as_array();
    if (items.empty()) break;
    for (const auto& each : items) {
      if (!stream.empty() && text_of(each, "stream") != stream) continue;
      if (run.json())
        found.push_back(each);
      else
        print_event(run, each);
    }
    after = text_of(page, "next_token");
  }
  if (run.json()) fmt::print("{}\n", json::serialize(found));
}

}  // namespace

void print_environment_events(app& run, const std::string& name_or_id) {
  auto id = name_or_id;
  if (!id.starts_with("env_")) {
    const auto answer = run.authorised().get(environment_path(name_or_id));
    id = text_of(answer, answer.as_object().contains("environment") ? "environment.id" : "id");
  }
  print_all(run, "environment/" + id, {});
}

void add_event_commands(CLI::App& top, app& run) {
  auto asked = std::make_shared<options>();
  auto* command = top.add_subcommand("events", "what happened in your account");
  command->add_flag("-f,--follow", asked->follow, "go on as events happen");
  command->add_option("--after", asked->after, "cursor to continue behind");
  command->add_option("--stream", asked->stream, "only this one: environment/env_…");
  command->callback([&run, asked] {
    if (asked->follow)
      follow(run, *asked);
    else
      print_all(run, asked->stream, asked->after);
  });
}

}  // namespace berth::devctl
