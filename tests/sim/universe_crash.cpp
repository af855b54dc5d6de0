// How a universe's server dies, what its disk then holds, and how it starts again.
#include "tests/sim/universe.hpp"

namespace berth::sim {

// The server must find what a bad disk did, wherever it looks.
void universe::rot() {
  const auto head = server_.journal.head().offset;
  rotten_ = {1 + random_.below(head), random_.below(2'000),
             static_cast<unsigned>(random_.below(8))};
  world_.note("bit {} of byte {} of record {} flips", rotten_->bit, rotten_->byte, rotten_->offset);
  check_.walk();
  check_.set_damaged(true);
  server_.journal.flip_bit(rotten_->offset, rotten_->byte, rotten_->bit);
}

void universe::end_rot() {
  ++stats_.checks;
  const auto read = server_.journal.read({0, rotten_->offset}, 1);
  if (read.has_value() || read.error().code != journal_errc::corrupt || !read.error().where ||
      read.error().where->offset != rotten_->offset)
    check_.fail("a flipped bit in record " + std::to_string(rotten_->offset) + " was not found");
  server_.journal.flip_bit(rotten_->offset, rotten_->byte, rotten_->bit);
  rotten_.reset();
  check_.set_damaged(false);
  check_.walk();
}

void universe::end_process() {
  ++stats_.crashes;
  terminals_.cut_all();
  clients_.forget_watches();
  const bool power =
      faults_.on(fault::power_cut) && (!faults_.on(fault::killed) || random_.one_in(2));
  world_.note("the {}", power ? "machine loses power" : "server is killed");
  if (power)
    cut_power();
  else
    server_.kill();
  start_again();
}

void universe::cut_power() {
  ++stats_.power_cuts;
  bool lost_one = false;
  server_.power_cut([&](std::size_t bytes) -> std::size_t {
    if (lost_one && !faults_.on(fault::reordered_writes)) return 0;
    if (lost_one && random_.one_in(2)) {
      faults_.count(fault::reordered_writes);
      return bytes;
    }
    if (faults_.strikes(fault::torn_writes, 3)) {
      lost_one = true;
      return random_.below(bytes);
    }
    lost_one = faults_.strikes(fault::lost_writes, 2);
    return lost_one ? 0 : bytes;
  });
  if (faults_.strikes(fault::snapshot_rot, 2))
    server_.journal.age_snapshots([this] {
      return std::array<unsigned, 4>{0, 0, 1, 2}[random_.below(4)];
    });
  if (!rotten_ && faults_.strikes(fault::stale_record, 2)) bring_back_stale_record();
}

// An older write to the same place, whole and with a right checksum: only the chain tells.
void universe::bring_back_stale_record() {
  auto& journal = server_.journal;
  for (const auto& [offset, record] : journal.lost_records()) {
    if (offset > journal.head().offset) continue;
    auto present = journal.exchange_record(offset, record);
    if (present == record) {
      journal.exchange_record(offset, std::move(present));
      continue;
    }
    world_.note("record {} is an old one again", offset);
    ++stats_.checks;
    journal.reopen();
    if (!journal.damage()) check_.fail("a stale record was taken for the one acknowledged");
    journal.exchange_record(offset, std::move(present));
    journal.reopen();
    return;
  }
}

void universe::start_again() {
  auto& journal = server_.journal;
  if (journal.damage()) {
    // The operator is told where, and puts the disk right.
    ++stats_.checks;
    if (!rotten_) return check_.fail("the log cannot be opened: " + journal.damage()->message);
    if (!journal.damage()->where || journal.damage()->where->offset != rotten_->offset)
      check_.fail("a flipped bit in record " + std::to_string(rotten_->offset) +
                  " was reported as: " + journal.damage()->message);
    journal.flip_bit(rotten_->offset, rotten_->byte, rotten_->bit);
    rotten_.reset();
    check_.set_damaged(false);
    journal.reopen();
    if (journal.damage()) return check_.fail("a repaired log cannot be opened");
  } else if (rotten_) {
    check_.fail("a flipped bit in record " + std::to_string(rotten_->offset) +
                " was not found at open");
  }
  check_.walk();
  server_.boot();
  clients_.ask_again(random_.one_in(2));
}

}  // namespace berth::sim
