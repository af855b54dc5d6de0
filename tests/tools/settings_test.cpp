// berthd's configuration: what is wrong is refused, and named.
#include "tools/berthd/settings.hpp"

#include <iostream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace berth::berthd;

namespace {

parsed_settings parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"berthd", "--data-dir", "/data"});
  std::vector<char*> pointers;
  for (auto& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return parse_settings(static_cast<int>(arguments.size()), pointers.data());
}

bool is_accepted(const std::string& file) {
  const berth::testing::temporary_folder folder;
  return parse({"--config", folder.write("berthd.toml", file)}).exit_code < 0;
}

}  // namespace

TEST_CASE("settings: an address in brackets has both of them", "[tools]") {
  CHECK(parse({"--listen", "[::1]:80"}).value.address == "::1");
  CHECK(parse({"--listen", "127.0.0.1:80"}).value.address == "127.0.0.1");
  CHECK(parse({"--listen", "[::1:80"}).exit_code > 0);
  CHECK(parse({"--listen", "::1]:80"}).exit_code > 0);
  CHECK(parse({"--listen", "[]:"}).exit_code > 0);
  CHECK(parse({"--listen", "[[::1]:80"}).exit_code > 0);
  CHECK(describe(parse({"--listen", "[::1]:80"}).value).find("'[::1]:80'") != std::string::npos);
}

TEST_CASE("settings: a table's name with another value is refused", "[tools]") {
  CHECK(is_accepted("[kernel]\nworker_threads = 3\n"));
  CHECK_FALSE(is_accepted("kernel = 3\n"));
  CHECK_FALSE(is_accepted("tls = \"cert.pem\"\n"));
}

TEST_CASE("settings: a text with control characters or broken UTF-8 is refused", "[tools]") {
  const auto key_at = [](const std::string& path) {
    return parse({"--tls-cert", "/cert", "--tls-key", path}).exit_code;
  };
  CHECK(key_at("/é") < 0);
  CHECK(key_at("/a\nb") > 0);
  CHECK(key_at("/\xee") > 0);
  CHECK_FALSE(is_accepted("[tls]\ncertificate = \"a\\u0007\"\nkey = \"b\"\n"));
}

TEST_CASE("settings: a cluster's are refused by name, an ordinal by its range", "[tools]") {
  const auto refusal_of = [](const std::string& cluster, const std::string& engine = "kafka") {
    const berth::testing::temporary_folder folder;
    const auto file = folder.write(
        "berthd.toml", "engine = \"" + engine +
                           "\"\n[kafka]\nbootstrap = \"127.0.0.1:1\"\npartitions = 4\n[cluster]\n" +
                           cluster);
    std::ostringstream said;
    auto* before = std::cerr.rdbuf(said.rdbuf());
    const auto code = parse({"--config", file}).exit_code;
    std::cerr.rdbuf(before);
    return code < 0 ? std::string{} : said.str();
  };
  const std::string rest =
      "listen = \"127.0.0.1:1\"\ncertificate_file = \"c\"\nkey_file = \"k\"\nca_file = \"a\"\n"
      "secret_file = \"s\"\n";
  const auto names = [](const std::string& text, const std::string& what) {
    return text.find(what) != std::string::npos;
  };
  CHECK(refusal_of("ordinal = 3\n" + rest).empty());
  CHECK(names(refusal_of(rest), "cluster.ordinal is missing"));
  CHECK(names(refusal_of("ordinal = 99\n" + rest), "cluster.ordinal = 99 is not between 0 and 15"));
  CHECK(names(refusal_of("ordinal = -1\n" + rest), "cluster.ordinal = -1 is not between"));
  CHECK(names(refusal_of("ordinal = \"a\"\n" + rest), "cluster.ordinal has the wrong type"));
  CHECK(names(refusal_of("ordinal = 4\n" + rest), "must be below 4"));
  CHECK(names(refusal_of("ordinal = 0\n"), "cluster.listen is missing"));
  CHECK(names(refusal_of("ordinal = 0\nport = 1\n" + rest), "unknown key cluster.port"));
  CHECK(names(refusal_of("ordinal = 0\n" + rest, "embedded"), "needs engine = kafka"));
}
