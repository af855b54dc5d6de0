// cp SOURCE… TARGET, one side ENV:/path: tar through a raw terminal, whose bytes arrive once and in
// order however often the connection drops.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include <fmt/format.h>

#include "tools/devctl/app.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/paths.hpp"

namespace berth::devctl {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr std::chrono::milliseconds ready_max{20'000};
constexpr std::uint64_t kept_bytes_max =
    4 * 1024 * 1024;  // of the stream, in case the connection drops
constexpr std::size_t block_bytes = 8 * 1024;
constexpr std::string_view go_mark = "berth-cp-go\n";  // the remote side is raw and listens

// A local tar: we read what it packs or write what it unpacks.
class local_tar {
 public:
  local_tar(std::vector<std::string> arguments, bool packs) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw failure(exit_error, "no pipe could be made");
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(packs ? ends[1] : ends[0], packs ? STDOUT_FILENO : STDIN_FILENO);
      std::vector<char*> pointers;
      for (auto& each : arguments) pointers.push_back(each.data());
      pointers.push_back(nullptr);
      ::execvp("tar", pointers.data());
      ::_exit(127);
    }
    ::close(packs ? ends[1] : ends[0]);
    end_ = packs ? ends[0] : ends[1];
  }
  ~local_tar() {
    close_end();
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  local_tar(const local_tar&) = delete;
  local_tar& operator=(const local_tar&) = delete;

  std::string read_block() {
    std::string block(block_bytes, '\0');
    ssize_t count = 0;
    do count = ::read(end_, block.data(), block.size());
    while (count < 0 && errno == EINTR);
    block.resize(count > 0 ? std::size_t(count) : 0);
    return block;
  }
  // False if tar is gone.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = ::write(end_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      bytes.remove_prefix(std::size_t(count));
    }
    return true;
  }
  int finish() {
    close_end();
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  void close_end() {
    if (end_ >= 0) ::close(end_);
    end_ = -1;
  }
  pid_t child_{-1};
  int end_{-1};
};

// The remote program's output, taken by the calling thread.
class stream : public client::terminal_listener {
 public:
  void output(std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    ready_ += bytes;
    end_ = offset + bytes.size();
    changed_.notify_all();
  }
  void input_applied(std::uint64_t) override { changed_.notify_all(); }
  void input_refused(const client::client_error& why) override { closed(why); }
  void ended(std::optional<int> exit_code, int signal, const std::string& reason) override {
    const std::lock_guard lock(mutex_);
    exit_code_ = exit_code.value_or(signal ? 128 + signal : 1);
    reason_ = reason;
  }
  void closed(const client::client_error& why) override {
    const std::lock_guard lock(mutex_);
    if (!over_) over_ = why;
    changed_.notify_all();
  }

  // What has come, waiting for some; empty = the program is over and everything was taken.
  std::string take(client::terminal& channel) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || over_; });
    const auto bytes = std::exchange(ready_, {});
    channel.consumed(end_);
    return bytes;
  }
  void send(client::terminal& channel, std::string_view bytes) {
    std::unique_lock lock(mutex_);
    while (!over_ && !channel.input(bytes)) changed_.wait_for(lock, std::chrono::milliseconds(50));
  }
  int exit_code() {
    const std::lock_guard lock(mutex_);
    if (!exit_code_ && over_) throw failure_of(*over_);
    return exit_code_.value_or(1);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string ready_;
  std::uint64_t end_{};
  std::optional<client::client_error> over_;
  std::optional<int> exit_code_;
  std::string reason_;
};

struct place {
  std::string environment;  // empty: this machine
  std::string path;
};

place parse_place(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text.find('/') < colon) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string shell_word(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// A remote shell script at the other end of a raw terminal.
class remote {
 public:
  remote(app& run, const std::string& environment, const std::string& script) {
    const json::object body{{"command", json::array{"/bin/sh", "-c", script}},
                            {"journal", "tail"},
                            {"journal_tail_bytes", kept_bytes_max}};
    const auto made = run.authorised().post(environment_path(environment) + "/terminals", body);
    socket = client::client::start(socket_options(run.configured()));
    if (const auto ready = socket->wait_ready(ready_max); !ready) throw failure_of(ready.error());
    bytes = std::make_shared<stream>();
    channel = socket->open_terminal({.id = text_of(made, "terminal.id")}, bytes);
  }
  std::shared_ptr<stream> bytes;
  std::unique_ptr<client::client> socket;
  std::unique_ptr<client::terminal> channel;
};

void check(int exit_code, const std::string& where, const std::string& said) {
  if (exit_code == 0) return;
  throw failure(exit_code == 66 ? exit_not_found : exit_error,
                fmt::format("copying failed in {}: {}", where,
                            said.empty() ? fmt::format("tar ended with {}", exit_code) : said));
}

struct file_closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using spool = std::unique_ptr<std::FILE, file_closer>;

// The sources as one archive in an unnamed file: its size must be known before it is sent, because
// a terminal has no end of file.
spool pack(const std::vector<std::string>& sources, std::size_t& size, std::string& last_name) {
  std::vector<std::string> arguments{"tar", "-cf", "-"};
  for (const auto& each : sources) {
    const auto whole = fs::absolute(each).lexically_normal();
    if (!fs::exists(whole)) throw failure(exit_not_found, fmt::format("{} does not exist", each));
    const auto path = whole.has_filename() ? whole : whole.parent_path();
    last_name = path.filename().string();
    arguments.insert(arguments.end(), {"-C", path.parent_path().string(), "./" + last_name});
  }
  spool packed(std::tmpfile());
  if (!packed) throw failure(exit_error, "no temporary file could be made", "is TMPDIR writable?");
  local_tar tar(arguments, true);
  for (auto block = tar.read_block(); !block.empty(); block = tar.read_block()) {
    if (std::fwrite(block.data(), 1, block.size(), packed.get()) != block.size())
      throw failure(exit_error, "the temporary file could not be written",
                    "is there space in TMPDIR?");
    size += block.size();
  }
  check(tar.finish(), "tar here", "");
  std::rewind(packed.get());
  return packed;
}

// Unpacks `size` bytes of archive. An existing folder takes the sources; otherwise the one source
// becomes the target.
std::string unpack_script(const std::string& target, std::size_t size, bool one,
                          const std::string& name) {
  return fmt::format(
      "stty raw -echo; printf '{mark}'; t={target}\n"
      "if [ -d \"$t\" ]; then head -c {size} | tar -xBf - -C \"$t\" 2>&1; exit; fi\n"
      "{refuse_many}\n"
      "d=$(mktemp -d \"$(dirname \"$t\")/.berth-cp-XXXXXX\" 2>&1) || {{ echo \"$d\"; exit 1; }}\n"
      "head -c {size} | tar -xBf - -C \"$d\" 2>&1 && mv -T \"$d\"/{name} \"$t\" 2>&1\n"
      "c=$?; rm -rf \"$d\"; exit $c",
      fmt::arg("mark", "berth-cp-go\\n"),
      fmt::arg("target", shell_word(target.empty() ? "." : target)), fmt::arg("size", size),
      fmt::arg("name", shell_word(name)),
      fmt::arg("refuse_many", one ? "" : "echo \"$t is not a directory\"; exit 1"));
}

void upload(app& run, const std::vector<std::string>& sources, const place& target) {
  std::size_t size = 0;
  std::string name;
  const auto packed = pack(sources, size, name);
  remote there(run, target.environment,
               unpack_script(target.path, size, sources.size() == 1, name));
  std::string said;
  while (said.find(go_mark) == std::string::npos) {
    const auto more = there.bytes->take(*there.channel);
    if (more.empty()) break;
    said += more;
  }
  const auto mark = said.find(go_mark);
  if (mark != std::string::npos) said.erase(0, mark + go_mark.size());
  std::string block(block_bytes, '\0');
  while (const auto count = std::fread(block.data(), 1, block.size(), packed.get()))
    there.bytes->send(*there.channel, std::string_view(block).substr(0, count));
  for (auto more = there.bytes->take(*there.channel); !more.empty();
       more = there.bytes->take(*there.channel))
    said += more;
  check(there.bytes->exit_code(), target.environment, said);
}

// Moves what was unpacked aside into its place, folder by folder. Never through a link that lies
// there: it may be what an earlier copy brought.
void move_into(const fs::path& from, const fs::path& to, std::error_code& error) {
  const bool both_folders =
      fs::is_directory(fs::symlink_status(from)) && fs::is_directory(fs::symlink_status(to));
  if (!both_folders) return fs::rename(from, to, error);
  for (const auto& each : fs::directory_iterator(from, error)) {
    if (!error) move_into(each.path(), to / each.path().filename(), error);
  }
}

void download(app& run, const place& source, const std::string& target) {
  const auto from = shell_word(source.path);
  // 66 is EX_NOINPUT: there is no such file. tar writes to no terminal, hence cat; its status comes
  // by descriptor 4.
  const auto script = fmt::format(
      "stty raw -echo; s={}\n"
      "[ -e \"$s\" ] || [ -L \"$s\" ] || {{ echo \"$s does not exist\"; exit 66; }}\n"
      "exec 3>&1\n"
      "c=$({{ {{ tar -C \"$(dirname \"$s\")\" -cf - -- \"$(basename \"$s\")\" 2>/dev/null; echo $? "
      ">&4; }} "
      "| cat >&3; }} 4>&1)\n"
      "exit $c",
      from);
  const fs::path into(target);
  const bool folder = fs::is_directory(into);
  const auto parent = fs::absolute(into).lexically_normal().parent_path();
  if (!folder && !fs::is_directory(parent))
    throw failure(exit_not_found, fmt::format("{} does not exist", parent.string()),
                  "make the folder first");
  // What comes is whatever the environment sends: only what was asked for leaves this folder.
  const auto fresh = (folder ? into : parent) / fmt::format(".berth-cp-{}", ::getpid());
  fs::create_directory(fresh);
  fs::permissions(fresh, fs::perms::owner_all);
  remote there(run, source.environment, script);
  local_tar tar(
      {"tar", "-xf", "-", "--no-same-owner", "--no-same-permissions", "-C", fresh.string()}, false);
  std::string last;
  for (auto more = there.bytes->take(*there.channel); !more.empty();
       more = there.bytes->take(*there.channel)) {
    last = more;
    if (!tar.write(more)) break;
  }
  const int there_code = there.bytes->exit_code();
  const int here_code = tar.finish();
  std::error_code error;
  auto name = source.path;
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  const auto asked = fs::path(name).filename();  // as basename(1) there
  const bool contents = asked.empty() || asked == "." || asked == "..";
  if (there_code == 0 && here_code == 0)
    move_into(contents ? fresh : fresh / asked, folder && !contents ? into / asked : into, error);
  fs::remove_all(fresh);
  check(there_code, source.environment, last.size() < 512 ? last : "");
  check(here_code, "tar here", "");
  if (error) throw failure(exit_error, fmt::format("cannot make {}: {}", target, error.message()));
}

void copy(app& run, std::vector<std::string> all) {
  const auto target = parse_place(all.back());
  all.pop_back();
  const auto first = parse_place(all.front());
  if (target.environment.empty() == first.environment.empty())
    throw failure(exit_usage, "one side must be in an environment, the other here",
                  "devctl cp FILE ENV:/workspace/ or devctl cp ENV:/workspace/FILE .");
  if (!target.environment.empty()) return upload(run, all, target);
  for (const auto& each : all) download(run, parse_place(each), target.path);
}

}  // namespace

void add_copy_command(CLI::App& top, app& run) {
  auto all = std::make_shared<std::vector<std::string>>();
  auto* command =
      top.add_subcommand("cp", "copy files and folders: SOURCE… TARGET, one side ENV:/path");
  command->add_option("paths", *all, "sources, then the target")->required()->expected(2, 1024);
  command->callback([&run, all] { copy(run, *all); });
}

}  // namespace berth::devctl
