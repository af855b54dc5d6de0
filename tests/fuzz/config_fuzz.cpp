// Configuration: berthd's flags and TOML file, and devctl's file. The input's texts are separated
// by NUL: the file, then arguments.
#include <iostream>
#include <sstream>

#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tools/berthd/settings.hpp"
#include "tools/devctl/config.hpp"
#include "tools/devctl/failure.hpp"

namespace berth::fuzz {
namespace {

constexpr std::size_t arguments_max = 8;

// What parsers say on the terminal, read instead.
class heard {
 public:
  heard() : out_{std::cout.rdbuf(said_.rdbuf())}, err_{std::cerr.rdbuf(said_.rdbuf())} {}
  ~heard() {
    std::cout.rdbuf(out_);
    std::cerr.rdbuf(err_);
  }
  std::string text() const { return said_.str(); }

 private:
  std::ostringstream said_;
  std::streambuf* out_;
  std::streambuf* err_;
};

const testing::temporary_folder& folder() {
  static const testing::temporary_folder made;
  static const bool named = [] {
    std::filesystem::create_directories(made.path() / "berth");
    ::setenv("XDG_CONFIG_HOME", made.path().c_str(), 1);
    return true;
  }();
  require(named, "devctl reads its file from the scratch folder");
  return made;
}

berthd::parsed_settings parse(std::vector<std::string> arguments, std::string& said) {
  arguments.insert(arguments.begin(), "berthd");
  std::vector<char*> pointers;
  for (auto& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  const heard listening;
  auto parsed = berthd::parse_settings(static_cast<int>(arguments.size()), pointers.data());
  said = listening.text();
  return parsed;
}

void check_berthd(std::string_view file, std::vector<std::string> arguments) {
  const auto path = folder().write("berthd.toml", file).string();
  arguments.insert(arguments.begin(), {"--config", path});
  std::string said;
  const auto first = parse(arguments, said);
  if (first.exit_code >= 0) return require(!said.empty(), "what is refused says why");
  const auto text = berthd::describe(first.value);
  const auto again = parse({"--config", folder().write("again.toml", text).string()}, said);
  require(again.exit_code < 0, "the settings in force are a file that is accepted");
  require(berthd::describe(again.value) == text, "and mean the same");
}

void check_devctl(std::string_view file) {
  folder().write("berth/config.toml", file);
  devctl::config loaded;
  try {
    loaded = devctl::load_config("");
  } catch (const devctl::failure& why) {
    return require(std::string_view{why.what()}.size() > 0, "a failure says what");
  }
  devctl::save_config(loaded);
  const auto again = devctl::load_config("");
  require(again.server == loaded.server && again.token == loaded.token,
          "a saved configuration is loaded as it was");
}

}  // namespace

void run(std::string_view input) {
  const auto file = input.substr(0, input.find('\0'));
  std::vector<std::string> arguments;
  for (auto left = input.substr(file.size()); !left.empty() && arguments.size() < arguments_max;) {
    left.remove_prefix(1);
    const auto next = left.substr(0, left.find('\0'));
    arguments.emplace_back(next);
    left.remove_prefix(next.size());
  }
  check_berthd(file, std::move(arguments));
  check_devctl(file);
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {
      berthd::describe({}),
      "data_dir = \"/var/lib/berth\"\nlisten = \"[::1]:7780\"\n[kernel]\nworker_threads = 4\n",
      "data_dir='/d'\n[tls]\ncertificate = 'a'\nkey = 'b'\n[log]\nlevel='debug'\nformat='json'\n",
      "data_dir='/d'\n[sandbox]\nnetwork = false\ncgroup_parent = \"berth\\u0041\"\n",
      "\0--data-dir\0/x\0--listen\0127.0.0.1:0\0--log-format\0human"s,
      "\0--sandbox-network\0false\0--check-config"s,
      "kernel.io_threads = 0x10\n# comment\nunknown = [1, {a = 2}, 1979-05-27T07:32:00Z]\n",
      "server = \"https://berth.example.com/\"\ntoken = \"berth_a_b_c\"\n",
  };
}

}  // namespace berth::fuzz
