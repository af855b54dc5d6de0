#include "tools/devctl/config.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tools/devctl/failure.hpp"
#include "tools/devctl/paths.hpp"
#include "tools/devctl/rest_client.hpp"

using namespace berth::devctl;

namespace {

// A configuration folder of its own, and no BERTH_ variables.
struct own_config {
  berth::testing::temporary_folder folder;
  own_config() {
    ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
    ::unsetenv("BERTH_SERVER");
    ::unsetenv("BERTH_TOKEN");
  }
};

}  // namespace

TEST_CASE("config: what was saved is loaded, and only its owner can read it", "[tools]") {
  own_config folder;
  CHECK(load_config("").server == default_server);
  save_config({"https://berth.example.com", "berth_secret"});
  save_config({"https://berth.example.com", "berth_other"});
  struct stat status {};
  REQUIRE(::stat(config_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(load_config("").token == "berth_other");
  CHECK(load_config("").server == "https://berth.example.com");
}

TEST_CASE("config: flags beat the environment, that beats the file", "[tools]") {
  own_config folder;
  save_config({"http://127.0.0.1:1", "file"});
  ::setenv("BERTH_SERVER", "http://127.0.0.1:2/", 1);
  ::setenv("BERTH_TOKEN", " variable\n", 1);
  CHECK(load_config("").server == "http://127.0.0.1:2");
  CHECK(load_config("").token == "variable");
  CHECK(load_config("http://127.0.0.1:3").server == "http://127.0.0.1:3");
}

TEST_CASE("config: a broken file is named with its line", "[tools]") {
  own_config folder;
  std::filesystem::create_directories(config_path().parent_path());
  std::ofstream(config_path()) << "server = \"http://x\"\ntoken = \n";
  try {
    load_config("");
    FAIL("nothing was said");
  } catch (const failure& said) {
    CHECK(std::string(said.what()).find("config.toml:2") != std::string::npos);
  }
}

TEST_CASE("paths: a server's address is taken apart", "[tools]") {
  const auto plain = socket_options({"http://127.0.0.1:7780", "t"});
  CHECK((plain.host == "127.0.0.1" && plain.port == 7780 && !plain.tls && plain.token == "t"));
  const auto tls = socket_options({"https://berth.example.com", "t"});
  CHECK((tls.host == "berth.example.com" && tls.port == 443 && tls.tls));
  const auto six = socket_options({"http://[::1]:99", ""});
  CHECK((six.host == "::1" && six.port == 99));
  CHECK_THROWS_AS(socket_options({"http://host:port", ""}), failure);
  CHECK_THROWS_AS(normal_server("127.0.0.1:7780"), failure);
  CHECK_THROWS_AS(normal_server("http:///"), failure);
}

TEST_CASE("rest client: names are encoded, answers are read by path", "[tools]") {
  CHECK(environment_path("a b/../c") == "/api/v1/environments/a%20b%2F..%2Fc");
  const auto value = boost::json::parse(R"({"a":{"b":"text","n":3,"null":null},"list":[1]})");
  CHECK(text_of(value, "a.b") == "text");
  CHECK(text_of(value, "a.n") == "3");
  CHECK(text_of(value, "a.null").empty());
  CHECK(text_of(value, "a.b.c").empty());
  CHECK(text_of(value, "list") == "[1]");
  CHECK(new_key() != new_key());
}
