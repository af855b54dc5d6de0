#include "tests/sim/sim_views.hpp"

#include <algorithm>

#include "events/environment/aggregate.hpp"
#include "projections/queries.hpp"

namespace berth::sim {

namespace {

constexpr std::size_t step_commits_max = 64;
constexpr std::size_t rows_a_scan = 1000;
constexpr std::size_t commits_a_read = 1000;

// One ended stretch of RUNNING, priced without any view: what a bill line must say.
struct plain_line {
  std::string environment;
  timestamp from, to;
  std::int64_t micro_usd{};
  auto operator<=>(const plain_line&) const = default;
};

std::int64_t priced(std::int64_t pico_usd_a_second, microseconds ran) {
  const __int128 exact = static_cast<__int128>(pico_usd_a_second) * ran.count();
  const auto pico = static_cast<std::int64_t>(exact / 1'000'000);
  const auto whole = pico / 1'000'000, rest = pico % 1'000'000;
  return whole + (rest > 500'000 || (rest == 500'000 && whole % 2 == 1) ? 1 : 0);
}

class plain_biller {
 public:
  void see(const commit& happened) {
    if (happened.body.stream.kind != aggregate_kind::environment) return;
    auto& one = open_[happened.body.stream.key];
    for (const auto& record : happened.body.events) {
      const auto event = environment::aggregate::decode(record);
      if (!event) continue;
      if (const auto* e = std::get_if<environment::created>(&*event))
        one.account = e->account, one.price = e->price_pico_usd_per_second;
      if (const auto* e = std::get_if<environment::started>(&*event)) one.since = e->at;
      if (const auto* e = std::get_if<environment::stop_asked>(&*event)) end(happened, e->at);
      if (const auto* e = std::get_if<environment::delete_asked>(&*event)) end(happened, e->at);
      if (const auto* e = std::get_if<environment::lost>(&*event)) end(happened, e->alive_until);
    }
  }
  std::map<account_id, std::vector<plain_line>> lines;

 private:
  struct running {
    account_id account;
    std::int64_t price{};
    std::optional<timestamp> since;
  };
  void end(const commit& happened, timestamp at) {
    auto& one = open_[happened.body.stream.key];
    if (one.since && *one.since < at)
      lines[one.account].push_back(
          {happened.body.stream.key, *one.since, at, priced(one.price, at - *one.since)});
    one.since.reset();
  }
  std::map<std::string, running> open_;
};

std::vector<plain_line> lines_of_view(const view_store& views, const account_id& account) {
  std::vector<plain_line> all;
  for (std::string after;;) {
    const auto page = queries::list_bill_lines(views, account, after, rows_a_scan);
    for (const auto& each : page.items)
      all.push_back(
          {each.what.environment.value, each.what.from, each.what.to, each.amount_micro_usd});
    if (page.next.empty()) return all;
    after = page.next;
  }
}

std::vector<std::pair<std::string, std::string>> rows_of(const view_store& views,
                                                         const std::string& name) {
  const auto view = views.read({name, views.live_generation(name)});
  std::vector<std::pair<std::string, std::string>> all;
  for (std::string after;;) {
    auto some = view->scan("", after, rows_a_scan);
    const bool last = some.size() < rows_a_scan;
    if (!some.empty()) after = some.back().first;
    std::move(some.begin(), some.end(), std::back_inserter(all));
    if (last) return all;
  }
}

}  // namespace

class sim_views::mortal_store final : public view_store {
 public:
  std::uint32_t live_generation(const std::string& name) const override {
    return kept.live_generation(name);
  }
  std::optional<position> checkpoint(const view_generation& of,
                                     std::uint32_t partition) const override {
    return kept.checkpoint(of, partition);
  }
  std::unique_ptr<view> read(const view_generation& of) const override { return kept.read(of); }
  std::unique_ptr<view> snapshot(const view_generation& of) const override {
    return kept.snapshot(of);
  }
  std::unique_ptr<batch> write(const view_generation& of) override {
    return std::make_unique<mortal_batch>(*this, kept.write(of));
  }
  journal_result<bool> swap_live(const std::string& name, std::uint32_t generation) override {
    if (!lives()) return death();
    return kept.swap_live(name, generation);
  }
  void drop(const view_generation& of) override {
    if (lives()) kept.drop(of);
  }
  void drop_others(const view_generation& than) override {
    if (lives()) kept.drop_others(than);
  }

  memory_view_store kept;
  std::optional<std::size_t> writes_left;  // until the process dies; nothing: it lives

 private:
  class mortal_batch final : public batch {
   public:
    mortal_batch(mortal_store& in, std::unique_ptr<batch> into) : in_{in}, into_{std::move(into)} {}
    std::optional<std::string> get(std::string_view key) const override { return into_->get(key); }
    void put(std::string_view key, std::string_view row) override { into_->put(key, row); }
    void erase(std::string_view key) override { into_->erase(key); }
    void append(std::string_view key, std::string_view row) override { into_->append(key, row); }
    std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                          std::string_view after,
                                                          std::size_t limit) const override {
      return into_->scan(prefix, after, limit);
    }
    journal_result<bool> commit(std::span<const position> checkpoints) override {
      if (!in_.lives()) return death();
      return into_->commit(checkpoints);
    }

   private:
    mortal_store& in_;
    std::unique_ptr<batch> into_;
  };
  bool lives() { return !writes_left || (*writes_left > 0 && (*writes_left)-- > 0); }
  static journal_error death() { return {journal_errc::io, "the process died here", std::nullopt}; }
};

sim_views::sim_views(testing::simulated_server& server)
    : server_{server}, store_{std::make_unique<mortal_store>()} {
  server_.join(*this);
  if (server_.up()) booted();
}

sim_views::~sim_views() {
  server_.leave(*this);
}

const view_store& sim_views::store() const {
  return *store_;
}

void sim_views::fail(std::string what) {
  if (!broken_) broken_ = std::move(what);
}

void sim_views::booted() {
  store_->writes_left.reset();
  projector_ = std::make_unique<projector>(server_.journal, *store_);
  told_projected_ = projector_->projected();
  ++stats_.checks;
  if (!heads_of(server_.journal).reaches(told_projected_))
    fail("the views lead the journal after a crash");
}

void sim_views::crashing() {
  waiters_.clear();
  if (projector_ && server_.random() % 2 == 0) {
    store_->writes_left = server_.random() % 8;
    fold(1 + server_.random() % step_commits_max);
  }
  projector_.reset();
  if (server_.random() % 4 == 0) {
    store_->kept.power_cut();
  }
}

journal_cursor sim_views::projected() const {
  return projector_ ? projector_->projected() : journal_cursor{};
}

void sim_views::when_projected(const journal_cursor& at, std::chrono::milliseconds wait_max,
                               std::function<void(bool)> then) {
  if (projected().reaches(at)) return then(true);
  waiters_.push_back({at, server_.clock.now() + wait_max, std::move(then)});
}

void sim_views::rebuild_soon() {
  if (!projector_ || projector_->rebuilding()) return;
  projector_->start_rebuild();
}

// A journal that cannot be read stops the projector; the views stay as they are.
void sim_views::fold(std::size_t commits_max) {
  const auto before = projector_->projected().commits();
  const auto folded = projector_->step(commits_max);
  const auto now = projector_->projected();
  ++stats_.checks;
  if (!now.reaches(told_projected_)) fail("what the views have folded went back");
  if (!heads_of(server_.journal).reaches(now)) fail("the views lead the journal");
  told_projected_ = now;
  stats_.commits_folded += now.commits() - before;
  if (!folded) return projector_.reset();
  tell_waiters();
}

void sim_views::tell_waiters() {
  std::vector<std::pair<std::function<void(bool)>, bool>> told;
  std::erase_if(waiters_, [&](waiter& each) {
    const bool there = projected().reaches(each.at);
    if (!there && each.until > server_.clock.now()) return false;
    told.emplace_back(std::move(each.then), there);
    return true;
  });
  for (auto& [then, there] : told) then(there);
}

// Nobody waits: views may lag, as they do under load.
bool sim_views::step() {
  if (!projector_ || (waiters_.empty() && server_.random() % 32 != 0)) return false;
  if (projector_->projected().reaches(heads_of(server_.journal)) && !projector_->rebuilding())
    return false;
  // Whoever waits may wait a little more, while commits gather.
  if (server_.random() % 4 != 0) return true;
  fold(1 + server_.random() % step_commits_max);
  if (server_.random() % 16 == 0) store_->kept.sync();
  return true;
}

std::optional<timestamp> sim_views::next_timer() const {
  std::optional<timestamp> least;
  for (const auto& each : waiters_)
    if (!least || each.until < *least) least = each.until;
  return least;
}

void sim_views::fire_timers() {
  if (!waiters_.empty()) tell_waiters();
}

std::optional<std::string> sim_views::finish() {
  while (projector_ && !broken_ &&
         (!projector_->projected().reaches(heads_of(server_.journal)) || projector_->rebuilding()))
    fold(projector::batch_commits_max);
  if (projector_ && !broken_) {
    compare_with_rebuilt();
    compare_bills();
  }
  return broken_;
}

void sim_views::compare_with_rebuilt() {
  memory_view_store fresh;
  projector again{server_.journal, fresh};
  if (!again.catch_up()) return;
  for (const auto& name : again.names()) {
    ++stats_.checks;
    if (rows_of(*store_, name) != rows_of(fresh, name))
      fail("view " + name + " is not what a rebuild gives");
  }
}

void sim_views::compare_bills() {
  plain_biller plain;
  for (std::uint64_t next = 1;;) {
    const auto some = server_.journal.read({0, next}, commits_a_read);
    if (!some) return;
    if (some->empty()) break;
    for (const auto& each : *some) plain.see(each);
    next = some->back().at().offset + 1;
  }
  for (auto& [account, lines] : plain.lines) {
    auto billed = lines_of_view(*store_, account);
    std::sort(billed.begin(), billed.end());
    std::sort(lines.begin(), lines.end());
    ++stats_.checks;
    if (billed != lines)
      fail("the bill of " + account.value + " has " + std::to_string(billed.size()) +
           " lines and is not the plain sum of its " + std::to_string(lines.size()) + " stretches");
  }
}

}  // namespace berth::sim
