#include "infra/memory/memory_view_store.hpp"

#include "events/core/invariant.hpp"
#include "infra/memory/row_overlay.hpp"

namespace berth {
namespace {

struct generation_rows {
  std::map<std::string, std::string, std::less<>> rows;
  std::map<std::uint32_t, position> checkpoints;
};

struct view_tables {
  std::map<view_generation, generation_rows> generations;
  std::map<std::string, std::uint32_t> live;
};

}  // namespace

struct memory_view_store::contents {
  std::mutex mutex;
  view_tables written;
  view_tables synced;
};

namespace {

class memory_view : public view {
 public:
  memory_view(std::shared_ptr<memory_view_store::contents> store, view_generation of)
      : store_{std::move(store)}, of_{std::move(of)} {}

  std::optional<std::string> get(std::string_view key) const override {
    const std::lock_guard lock{store_->mutex};
    const auto* rows = rows_of();
    if (!rows) return std::nullopt;
    const auto found = rows->find(key);
    return found == rows->end() ? std::nullopt : std::optional{found->second};
  }

  std::vector<std::pair<std::string, std::string>> scan(std::string_view prefix,
                                                        std::string_view after,
                                                        std::size_t limit) const override {
    const std::lock_guard lock{store_->mutex};
    std::vector<std::pair<std::string, std::string>> found;
    const auto* rows = rows_of();
    if (!rows) return found;
    auto at = after < prefix ? rows->lower_bound(prefix) : rows->upper_bound(after);
    for (; at != rows->end() && at->first.starts_with(prefix) && found.size() < limit; ++at)
      found.emplace_back(at->first, at->second);
    return found;
  }

  void put(std::string_view, std::string_view) override {
    BERTH_ASSERT(!"a view that is read is not written");
  }
  void erase(std::string_view) override { BERTH_ASSERT(!"a view that is read is not written"); }

 private:
  const std::map<std::string, std::string, std::less<>>* rows_of() const {
    const auto found = store_->written.generations.find(of_);
    return found == store_->written.generations.end() ? nullptr : &found->second.rows;
  }

  std::shared_ptr<memory_view_store::contents> store_;
  view_generation of_;
};

class memory_batch : public overlay_batch {
 public:
  memory_batch(const std::shared_ptr<memory_view_store::contents>& store, const view_generation& of)
      : overlay_batch{row_overlay{std::make_unique<memory_view>(store, of)}},
        store_{store},
        of_{of} {}

  journal_result<bool> commit(std::span<const position> checkpoints) override {
    const std::lock_guard lock{store_->mutex};
    auto& into = store_->written.generations[of_];
    rows_.each_changed([&](const std::string& key, const std::optional<std::string>& row) {
      if (row)
        into.rows.insert_or_assign(key, *row);
      else
        into.rows.erase(key);
    });
    for (const auto& each : checkpoints) into.checkpoints[each.partition] = each;
    rows_.written();
    return true;
  }

 private:
  std::shared_ptr<memory_view_store::contents> store_;
  view_generation of_;
};

}  // namespace

memory_view_store::memory_view_store() : now_{std::make_shared<contents>()} {}
memory_view_store::~memory_view_store() = default;

std::uint32_t memory_view_store::live_generation(const std::string& name) const {
  const std::lock_guard lock{now_->mutex};
  const auto found = now_->written.live.find(name);
  return found == now_->written.live.end() ? 1 : found->second;
}

std::optional<position> memory_view_store::checkpoint(const view_generation& of,
                                                      std::uint32_t partition) const {
  const std::lock_guard lock{now_->mutex};
  const auto found = now_->written.generations.find(of);
  if (found == now_->written.generations.end()) return std::nullopt;
  const auto at = found->second.checkpoints.find(partition);
  return at == found->second.checkpoints.end() ? std::nullopt : std::optional{at->second};
}

std::unique_ptr<view> memory_view_store::read(const view_generation& of) const {
  return std::make_unique<memory_view>(now_, of);
}

std::unique_ptr<view> memory_view_store::snapshot(const view_generation& of) const {
  auto copy = std::make_shared<contents>();
  const std::lock_guard lock{now_->mutex};
  if (const auto found = now_->written.generations.find(of);
      found != now_->written.generations.end())
    copy->written.generations.insert(*found);
  return std::make_unique<memory_view>(std::move(copy), of);
}

std::unique_ptr<view_store::batch> memory_view_store::write(const view_generation& of) {
  return std::make_unique<memory_batch>(now_, of);
}

journal_result<bool> memory_view_store::swap_live(const std::string& name,
                                                  std::uint32_t generation) {
  const std::lock_guard lock{now_->mutex};
  now_->written.live[name] = generation;
  return true;
}

void memory_view_store::drop(const view_generation& of) {
  const std::lock_guard lock{now_->mutex};
  now_->written.generations.erase(of);
}

void memory_view_store::drop_others(const view_generation& than) {
  const std::lock_guard lock{now_->mutex};
  std::erase_if(now_->written.generations, [&](const auto& each) {
    return each.first.name == than.name && each.first != than;
  });
}

void memory_view_store::sync() {
  const std::lock_guard lock{now_->mutex};
  now_->synced = now_->written;
}

void memory_view_store::power_cut() {
  const std::lock_guard lock{now_->mutex};
  now_->written = now_->synced;
}

}  // namespace berth
