// Questions usage, billing and audit answer.
#include "projections/keys.hpp"
#include "projections/money.hpp"
#include "projections/paging.hpp"
#include "projections/queries.hpp"

namespace berth::queries {
namespace {

constexpr std::size_t scan_rows = 1000;

// Every row below the prefix with a key > after, in order; `each(suffix, row)` answers whether to
// go on.
template <class Each>
void scan_all(const view& rows, const std::string& prefix, std::string after, Each each) {
  for (;;) {
    const auto found = rows.scan(prefix, after, scan_rows);
    for (const auto& [key, row] : found) {
      if (!each(key.substr(prefix.size()), row)) return;
    }
    if (found.size() < scan_rows) return;
    after = found.back().first;
  }
}

// Sums clipped intervals and counts by environment.
class usage_sum {
 public:
  usage_sum(timestamp from, timestamp to) { report_.from = from, report_.to = to; }

  void add(interval part) {
    part.from = std::max(part.from, report_.from);
    part.to = std::min(part.to, report_.to);
    if (part.from >= part.to) return;
    auto& entry = environments_[part.environment];
    entry.id = part.environment;
    entry.name = part.name;
    entry.instance_type = part.instance_type;
    entry.by_status[part.status] += part.duration();
    report_.by_instance_type[part.instance_type][part.status] += part.duration();
    if (!part.billed()) return;
    const auto line = line_of(part);
    add_amount(entry.amount_micro_usd, line);
    add_amount(report_.amount_micro_usd, line);
  }

  void add(const std::string& environment, const usage_counts& counts) {
    auto& entry = environments_[environment_id{environment}];
    entry.id.value = environment;
    entry.execs += counts.execs;
    entry.terminals += counts.terminals;
  }

  usage_report take() {
    for (auto& [id, entry] : environments_) report_.environments.push_back(std::move(entry));
    return std::move(report_);
  }

 private:
  void add_amount(std::int64_t& to, const bill_line& line) {
    const auto sum = add_amounts(to, line.amount_micro_usd);
    report_.overflowed = report_.overflowed || line.overflowed || !sum;
    if (sum) to = *sum;
  }

  usage_report report_;
  std::map<environment_id, environment_usage> environments_;
};

// Present intervals of the account's environments, up to `now`.
std::vector<interval> open_intervals(const view& usage, const account_id& account, timestamp now) {
  std::vector<interval> out;
  scan_all(usage, keys::below("open", account.value), "",
           [&](const std::string& id, const std::string&) {
             if (auto open = open_interval(usage, {id}, now)) out.push_back(std::move(*open));
             return true;
           });
  return out;
}

}  // namespace

usage_report usage(const view_store& views, const account_id& account, timestamp from, timestamp to,
                   timestamp now) {
  const auto rows = live(views, usage_name);
  usage_sum sum{from, to};
  if (from >= to) return sum.take();
  const auto intervals = keys::below("interval", account.value);
  // Keys begin with the end: whatever ended at or before `from` is left out by the scan.
  scan_all(*rows, intervals, intervals + keys::hex(from) + "~",
           [&](const std::string&, const std::string& row) {
             if (const auto closed = decode_interval(row)) sum.add(*closed);
             return true;
           });
  for (auto& open : open_intervals(*rows, account, now)) sum.add(std::move(open));
  const auto counts = keys::below("counts", account.value);
  const auto first_hour = timestamp{std::chrono::ceil<std::chrono::hours>(from)};
  scan_all(*rows, counts, counts + keys::hex(first_hour),
           [&](const std::string& key, const std::string& row) {
             const auto slash = key.find('/');
             if (key.substr(0, slash) >= keys::hex(to)) return false;
             if (const auto found = decode_counts(row)) sum.add(key.substr(slash + 1), *found);
             return true;
           });
  return sum.take();
}

page<bill_line> list_bill_lines(const view_store& views, const account_id& account,
                                const std::string& after, std::size_t limit) {
  return page_of<bill_line>(
      *live(views, billing_name), keys::below("line", account.value), after, limit,
      [](const std::string&, const std::string& row) { return decode_line(row); });
}

std::vector<bill_line> accruing_lines(const view_store& views, const account_id& account,
                                      timestamp now) {
  std::vector<bill_line> out;
  for (const auto& open : open_intervals(*live(views, usage_name), account, now)) {
    if (open.billed()) out.push_back(line_of(open));
  }
  return out;
}

page<audit_row> audit(const view_store& views, const account_id& account, const std::string& after,
                      std::size_t limit) {
  const auto rows = live(views, audit_name);
  return page_of<audit_row>(
      *rows, keys::below("account", account.value), after, limit,
      [&](const std::string& place, const std::string&) -> std::optional<audit_row> {
        const auto row = rows->get(keys::join("commit", place));
        return row ? decode_audit(*row) : std::nullopt;
      });
}

page<audit_row> audit_of_all(const view_store& views, const std::string& after, std::size_t limit) {
  return page_of<audit_row>(
      *live(views, audit_name), "commit/", after, limit,
      [](const std::string&, const std::string& row) { return decode_audit(row); });
}

}  // namespace berth::queries
