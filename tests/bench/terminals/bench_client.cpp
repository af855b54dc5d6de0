#include "tests/bench/terminals/bench_client.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include <boost/json.hpp>

namespace berth::bench {

using namespace std::chrono_literals;
namespace json = boost::json;

json::object figures_of(std::vector<double> us) {
  const auto times = spread::of(us);
  return {
      {"count", us.size()}, {"p50_us", times.p50}, {"p99_us", times.p99}, {"max_us", times.max}};
}

void shown::take(std::string_view bytes) {
  last_output_ = steady::now();
  tail_.append(bytes);
  if (tail_.size() > 8192) tail_.erase(0, tail_.size() - 4096);
  if (keeps_) kept_.append(bytes);
}

void shown::on_output(std::function<void()> told) {
  const std::scoped_lock held{mutex_};
  told_ = std::move(told);
}

void shown::output(std::uint64_t offset, std::string_view bytes) {
  std::function<void()> told;
  {
    const std::scoped_lock held{mutex_};
    if (offset != end_ && !first_) holes_ = true;
    first_ = false;
    end_ = offset + bytes.size();
    take(bytes);
    told = told_;
  }
  if (told) told();
  changed_.notify_all();
  linger(bytes.size());
}

// A slow reader; it is woken by another pace.
void shown::linger(std::size_t size) {
  const auto start = steady::now();
  for (double pace = pace_bytes_per_second_; pace > 0; pace = pace_bytes_per_second_) {
    const auto left_us = static_cast<double>(size) / pace * 1e6 - us_since(start);
    if (left_us <= 0) return;
    std::this_thread::sleep_for(
        std::chrono::duration<double, std::micro>{std::min(left_us, 5'000.0)});
  }
}

void shown::gap(std::uint64_t from, std::uint64_t to) {
  const std::scoped_lock held{mutex_};
  if (from != end_ && !first_) holes_ = true;
  first_ = false;
  ++gaps_;
  end_ = to;
}

void shown::snapshot(std::uint64_t, std::uint16_t, std::uint16_t, std::string_view bytes) {
  {
    const std::scoped_lock held{mutex_};
    kept_.clear();
    take(bytes);
  }
  changed_.notify_all();
}

void shown::ended(std::optional<int>, int, const std::string&) {}

void shown::closed(const client::client_error& why) {
  const std::scoped_lock held{mutex_};
  over_ = why.code + ": " + why.message;
  changed_.notify_all();
}

void shown::wait(const std::function<bool(const shown&)>& ready) {
  std::unique_lock held{mutex_};
  const auto failed = [this] { return !over_.empty() && !over_.starts_with("ended"); };
  if (!changed_.wait_for(held, 120s, [&] { return ready(*this) || failed(); }))
    fail("nothing came for 120 s");
  if (failed()) fail(over_);
}

bool shown::shows(std::string_view text) const {
  constexpr std::size_t near = 200;
  return tail_.find(text, tail_.size() > near ? tail_.size() - near : 0) != std::string::npos;
}

bench_client::bench_client(client::client_options options)
    : options_{std::move(options)}, client_{client::client::start(options_)} {
  if (auto ready = client_->wait_ready(10s); !ready) fail(ready.error().message);
}

const std::string& bench_client::environment() {
  if (!environment_.empty()) return environment_;
  const auto name =
      "bench-" + std::to_string(steady::now().time_since_epoch().count() % 1'000'000'000);
  const auto made =
      ask("POST", "/api/v1/environments?wait=true", {{"name", name}, {"instance_type", "compute"}});
  return environment_ = std::string{made.at("environment").at("id").as_string()};
}

bench_client::~bench_client() {
  if (environment_.empty()) return;
  (void)client_->request_wait("DELETE", "/api/v1/environments/" + environment_, {}, "", 30s);
}

std::string bench_client::make_terminal(const std::string& script) {
  const auto made =
      ask("POST", "/api/v1/environments/" + environment() + "/terminals",
          {{"cols", 80}, {"rows", 24}, {"command", json::array{"/bin/sh", "-c", script}}});
  return std::string{made.at("terminal").at("id").as_string()};
}

open_terminal bench_client::view(const std::string& terminal, view_options how) {
  open_terminal out{terminal, std::make_shared<shown>(how.keeps), nullptr};
  client::terminal_options wanted;
  wanted.id = terminal;
  wanted.exact = how.exact;
  wanted.drive = how.drive;
  wanted.from = how.from;
  wanted.window_bytes = how.window_bytes;
  wanted.consume_on_return = true;
  out.handle = client_->open_terminal(wanted, out.screen);
  return out;
}

open_terminal bench_client::raw_cat() {
  auto out = open("stty raw -echo; printf r; exec cat");
  out.screen->wait([](const shown& on) { return on.end() >= 1; });
  return out;
}

// The script peers are measured with, run inside.
std::string bench_client::make_text(std::uint64_t bytes) {
  std::ifstream file{BERTH_BENCH_DIR "/make_text.sh"};
  const std::string script{std::istreambuf_iterator<char>{file}, {}};
  const std::string place = "/workspace/text";
  const json::array command{"/bin/sh", "-c", script, "make_text", std::to_string(bytes), place};
  const auto out = ask("POST", "/api/v1/environments/" + environment() + "/exec",
                       {{"command", command}});
  if (out.at("exit_code").to_number<int>() != 0)
    fail("make_text: " + json::serialize(out).substr(0, 300));
  return place;
}

json::object bench_client::ask(const std::string& method, const std::string& path,
                               const json::object& body) {
  const auto answer = client_->request_wait(method, path, {{"content-type", "application/json"}},
                                            json::serialize(body), 60s);
  if (!answer) fail(path + ": " + answer.error().message);
  if (answer->status >= 300) fail(path + ": " + answer->body);
  return json::parse(answer->body).as_object();
}

client::http_answer bench_client::get(const std::string& path) {
  const auto answer = client_->request_wait("GET", path, {}, "", 60s);
  if (!answer) fail(path + ": " + answer.error().message);
  if (answer->status >= 300) fail(path + ": " + answer->body);
  return *answer;
}

json::object echo_times(open_terminal& on, int keys) {
  std::vector<double> us;
  std::atomic<bool> is_over{};
  steady::time_point typed_at;
  const auto type = [&] {
    typed_at = steady::now();
    on.handle->input("k");
  };
  on.screen->on_output([&] {
    us.push_back(us_since(typed_at));
    if (us.size() < static_cast<std::size_t>(keys)) return type();
    is_over = true;
  });
  type();
  on.screen->wait([&](const shown&) { return is_over.load(); });
  on.screen->on_output({});
  return figures_of(std::move(us));
}

}  // namespace berth::bench
