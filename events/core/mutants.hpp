// Deliberate bugs for the mutation proof (tests/sim, docs/testing.md): each is one readable line in
// the product, behind BERTH_MUTANT(name), and exists only in builds with -DBERTH_MUTANTS (preset
// `mutants`). Everywhere else BERTH_MUTANT is the constant false and this header declares nothing.
//
//   if (BERTH_MUTANT(revoked_token_works)) return;     in the product
//   X(revoked_token_works)                             in the list below
#pragma once

#include <array>
#include <string_view>

namespace berth {

#define BERTH_MUTANT_LIST(X)             \
  /* kernel, journal, domain */          \
  X(ack_before_sync)                     \
  X(apply_before_append)                 \
  X(refusal_from_tentative)              \
  X(read_from_tentative)                 \
  X(tentative_kept_after_failure)        \
  X(snapshot_off_by_one)                 \
  X(dedupe_dropped_at_snapshot)          \
  X(retry_gets_newest_version)           \
  X(other_content_taken)                 \
  X(old_command_executed)                \
  X(deadline_not_rearmed)                \
  X(other_tenant_served)                 \
  X(watcher_not_told)                    \
  X(effect_repeated_after_recovery)      \
  X(loss_while_down_not_seen)            \
  X(name_kept_after_delete)              \
  X(creation_not_completed)              \
  X(stale_incarnation_accepted)          \
  X(revoked_token_works)                 \
  X(attach_skips_a_byte)                 \
  X(credit_not_checked)                  \
  X(gap_not_told)                        \
  X(durable_told_before_sync)            \
  X(end_recorded_before_sync)            \
  X(input_applied_twice)                 \
  X(checksum_not_checked)                \
  X(chain_not_checked)                   \
  /* a log that several may write to */  \
  X(commit_of_any_leader_applied)        \
  X(lead_of_any_epoch_taken)             \
  X(lead_not_read_back)                  \
  X(ack_without_contiguity)              \
  X(sequence_not_checked)                \
  /* gateway */                          \
  X(resume_skips_a_byte)                 \
  X(gap_not_marked)                      \
  X(credit_of_client_ignored)            \
  X(foreign_terminal_attachable)         \
  X(input_stream_lost_at_resume)         \
  X(closed_session_resumed)              \
  X(closed_session_lives_on)             \
  X(feed_resumes_one_late)               \
  X(output_after_close)                  \
  /* fresh eyes */                       \
  X(snapshot_of_tentative_state)         \
  X(command_without_events_not_recorded) \
  X(running_environment_passivated)      \
  X(cursor_beyond_end_pulled_back)       \
  X(name_free_until_confirmed)           \
  X(loss_billed_until_noticed)           \
  X(last_commit_folded_again_at_start)   \
  X(refused_input_refused_again)

enum class mutant : unsigned {
  none,
#define BERTH_MUTANT_NAME(name) name,
  BERTH_MUTANT_LIST(BERTH_MUTANT_NAME)
#undef BERTH_MUTANT_NAME
};

inline constexpr auto mutant_names =
    std::to_array<std::string_view>({"none",
#define BERTH_MUTANT_NAME(name) #name,
                                     BERTH_MUTANT_LIST(BERTH_MUTANT_NAME)
#undef BERTH_MUTANT_NAME
    });

#ifdef BERTH_MUTANTS
inline mutant mutant_on = mutant::none;
#define BERTH_MUTANT(name) (::berth::mutant_on == ::berth::mutant::name)

// False if there is no such one. Empty: none.
inline bool switch_on_mutant(std::string_view name) {
  for (std::size_t i = 0; i < mutant_names.size(); ++i) {
    if (mutant_names[i] != (name.empty() ? "none" : name)) continue;
    mutant_on = static_cast<mutant>(i);
    return true;
  }
  return false;
}
#else
#define BERTH_MUTANT(name) false
inline bool switch_on_mutant(std::string_view name) {
  return name.empty();
}
#endif

}  // namespace berth
