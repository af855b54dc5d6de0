#include "infra/agent/program/exec_table.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "infra/agent/program/requests.hpp"

namespace berth::agent {

using std::chrono::milliseconds;

struct exec_job {
  id_bytes id{};
  pid_t pid = -1;
  event_loop::clock::time_point began;
  std::string stdin_bytes;
  std::size_t stdin_written = 0;
  unique_fd stdin_fd;
  std::array<unique_fd, 2> output_fds;
  std::array<std::string, 2> outputs;
  unique_fd status;
  std::string spawn_problem;
  std::size_t output_bytes_max{};
  bool truncated = false;
  bool timed_out = false;
  bool lingered = false;
  std::optional<std::int32_t> wait_status;
  event_loop::timer_id timer = 0;
};

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
// A daemon left behind may hold the pipes open for ever; what the command itself wrote is in them
// when it exits.
constexpr milliseconds linger{100};
constexpr milliseconds timeout_max{24 * 3600 * 1000};

bool make_pipe(unique_fd& reader, unique_fd& writer, bool writer_is_ours) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return false;
  reader.reset(fds[0]);
  writer.reset(fds[1]);
  ::fcntl(writer_is_ours ? fds[1] : fds[0], F_SETFL, O_NONBLOCK);
  return true;
}

void kill_group(pid_t pid, int number) {
  if (::kill(-pid, number) != 0) ::kill(pid, number);
}

}  // namespace

exec_table::exec_table(event_loop& loop, spawner& spawner, answer told)
    : loop_{loop}, spawner_{spawner}, told_{std::move(told)} {}
exec_table::~exec_table() = default;

void exec_table::refuse(const id_bytes& id, wire::Problem problem, const std::string& message) {
  wire::ExecDoneT done;
  done.effect = std::make_unique<wire::Id>(to_wire(id));
  done.problem = problem;
  done.message = message;
  told_(done);
}

void exec_table::exec(const wire::Exec& request) {
  const auto id = request.effect() ? from_wire(*request.effect()) : id_bytes{};
  if (const auto found = outcomes_.find(id); found != outcomes_.end())
    return told_(found->second.done);
  if (running_.contains(id)) return;
  if (forgotten_.contains(id))
    return refuse(id, wire::Problem::outcome_unknown, "ran, and its outcome was dropped since");
  if (!request.effect() || !request.command() || request.command()->size() == 0)
    return refuse(id, wire::Problem::bad_request, "exec needs an effect id and a command");
  if (running_.size() >= running_max)
    return refuse(id, wire::Problem::limit_exceeded,
                  "64 commands are running; wait for one to end");
  start(id, request);
}

void exec_table::start(const id_bytes& id, const wire::Exec& request) {
  auto job = std::make_unique<exec_job>();
  std::array<unique_fd, 3> theirs;
  if (!make_pipe(theirs[0], job->stdin_fd, true) ||
      !make_pipe(job->output_fds[0], theirs[1], false) ||
      !make_pipe(job->output_fds[1], theirs[2], false))
    return refuse(id, wire::Problem::io, std::string{"pipe: "} + std::strerror(errno));
  auto what = workload_of(request);
  for (int i = 0; i < 3; ++i) what.standard_fds[i] = theirs[i].get();
  std::string problem;
  auto child = spawner_.start(what, problem);
  if (!child) return refuse(id, wire::Problem::bad_request, problem);
  job->id = id;
  job->pid = child->pid;
  job->status = std::move(child->status);
  job->began = event_loop::clock::now();
  job->stdin_bytes = bytes_of(request.stdin_bytes());
  job->output_bytes_max = std::min(request.output_bytes_max(), output_bytes_max);
  auto& kept = *job;
  running_.emplace(id, std::move(job));
  if (request.timeout_ms() > 0) {
    kept.timer = loop_.after(std::min(milliseconds{request.timeout_ms()}, timeout_max), [&kept] {
      kept.timer = 0;
      kept.timed_out = true;
      kill_group(kept.pid, SIGKILL);
    });
  }
  loop_.add(kept.status.get(), EPOLLIN, [this, &kept](std::uint32_t) {
    const auto text = read_spawn_status(kept.status.get());
    if (!text) return;
    kept.spawn_problem = *text;
    loop_.remove(kept.status.get());
    kept.status.reset();
    maybe_finish(kept);
  });
  for (int i = 0; i < 2; ++i) watch_output(kept, i);
  write_stdin(kept);
}

void exec_table::watch_output(exec_job& job, int which) {
  loop_.add(job.output_fds[which].get(), EPOLLIN, [this, &job, which](std::uint32_t) {
    static std::string buffer(read_bytes, '\0');
    const int fd = job.output_fds[which].get();
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      loop_.remove(fd);
      job.output_fds[which].reset();
      return maybe_finish(job);
    }
    auto& kept = job.outputs[which];
    const auto take = std::min(static_cast<std::size_t>(got), job.output_bytes_max - kept.size());
    kept.append(buffer.data(), take);
    if (take < static_cast<std::size_t>(got)) job.truncated = true;
  });
}

void exec_table::write_stdin(exec_job& job) {
  const int fd = job.stdin_fd.get();
  while (job.stdin_written < job.stdin_bytes.size()) {
    const auto wrote = ::write(fd, job.stdin_bytes.data() + job.stdin_written,
                               job.stdin_bytes.size() - job.stdin_written);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) {
      if (!loop_.watches(fd))
        loop_.add(fd, EPOLLOUT, [this, &job](std::uint32_t) { write_stdin(job); });
      return;
    }
    if (wrote < 0) break;  // EPIPE: it does not read its input
    job.stdin_written += static_cast<std::size_t>(wrote);
  }
  loop_.remove(fd);
  job.stdin_fd.reset();
}

bool exec_table::reaped(pid_t pid, std::int32_t wait_status) {
  for (auto& [id, job] : running_) {
    if (job->pid != pid || job->wait_status) continue;
    job->wait_status = wait_status;
    if (job->timer) loop_.cancel(job->timer);
    auto& kept = *job;
    kept.timer = loop_.after(linger, [this, &kept] {
      kept.timer = 0;
      kept.lingered = true;
      maybe_finish(kept);
    });
    maybe_finish(kept);
    return true;
  }
  return false;
}

void exec_table::maybe_finish(exec_job& job) {
  if (!job.wait_status || job.status) return;
  if ((job.output_fds[0] || job.output_fds[1]) && !job.lingered) return;
  finish(job);
}

void exec_table::finish(exec_job& job) {
  if (job.timer) loop_.cancel(job.timer);
  if (job.stdin_fd) loop_.remove(job.stdin_fd.get());
  for (auto& fd : job.output_fds) {
    if (fd) loop_.remove(fd.get());
  }
  wire::ExecDoneT done;
  done.effect = std::make_unique<wire::Id>(to_wire(job.id));
  const auto status = *job.wait_status;
  done.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (job.timed_out) done.exit_code = 124;
  if (!job.spawn_problem.empty()) job.outputs[1] += "berth: " + job.spawn_problem + "\n";
  done.stdout_bytes = to_vector(job.outputs[0]);
  done.stderr_bytes = to_vector(job.outputs[1]);
  done.truncated = job.truncated;
  done.timed_out = job.timed_out;
  const auto took = event_loop::clock::now() - job.began;
  done.duration_ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(took).count());
  const auto id = job.id;
  running_.erase(id);
  record(id, std::move(done));
}

void exec_table::record(const id_bytes& id, wire::ExecDoneT done) {
  const auto bytes = done.stdout_bytes.size() + done.stderr_bytes.size();
  outcome_bytes_ += bytes;
  outcome_order_.push_back(id);
  const auto& kept = outcomes_.emplace(id, outcome{std::move(done), bytes}).first->second;
  told_(kept.done);
  while (outcome_order_.size() > outcomes_max ||
         (outcome_bytes_ > outcome_bytes_max && outcome_order_.size() > 1)) {
    const auto oldest = outcomes_.find(outcome_order_.front());
    outcome_bytes_ -= oldest->second.bytes;
    outcomes_.erase(oldest);
    forgotten_.insert(outcome_order_.front());
    forgotten_order_.push_back(outcome_order_.front());
    outcome_order_.pop_front();
  }
  while (forgotten_order_.size() > forgotten_ids_max) {
    forgotten_.erase(forgotten_order_.front());
    forgotten_order_.pop_front();
  }
}

void exec_table::signal_all(int number) {
  for (auto& [id, job] : running_) {
    if (!job->wait_status) kill_group(job->pid, number);
  }
}

}  // namespace berth::agent
