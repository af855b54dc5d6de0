// A data race of ours, on purpose: two workers of a real kernel complete commands, and both count
// them in a plain integer, with libcaf's frames below them on the stack. ThreadSanitizer must
// report it although tsan.supp silences functions of libcaf; CTest fails if it does not.
#include <cstdio>
#include <future>

#include "tests/support/simulated_server.hpp"

using namespace berth;

int main() {
  constexpr std::size_t commands = 2'000;
  berth::testing::manual_clock clock;
  memory_journal journal{clock, memory_journal::mode::automatic};
  memory_bulk_log bulk;
  berth::testing::fake_host host;
  kernel_options options{journal, host, bulk, clock, {}, {"host_x"}, "boot", 1, {}, 2, false};
  const auto core = make_kernel(std::move(options));
  std::size_t counted = 0;  // the race
  std::vector<std::future<void>> answers;
  for (std::size_t i = 0; i < commands; ++i) {
    const account_id id{derived_id("acct", "account-" + std::to_string(i), uuid{})};
    const auto answered = std::make_shared<std::promise<void>>();
    answers.push_back(answered->get_future());
    core->ask(id, account::create{"account-" + std::to_string(i), account::role::member},
              {uuid::derived("planted", std::to_string(i)), {id, "tok", false}, {}, {}, {}},
              [&counted, answered](const auto&) {
                ++counted;
                answered->set_value();
              });
  }
  for (auto& each : answers)
    if (each.wait_for(std::chrono::seconds{30}) != std::future_status::ready) return 1;
  core->stop();
  std::printf("%zu of %zu counted\n", counted, commands);
}
