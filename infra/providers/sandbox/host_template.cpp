#include "infra/providers/sandbox/host_template.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "infra/providers/sandbox/template_files.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t copied_file_bytes_max = 8 * 1024 * 1024;
constexpr std::uint64_t fnv_basis = 0xcbf29ce484222325;
constexpr std::uint64_t fnv_prime = 0x100000001b3;

// Of the host's /etc. Nothing here holds names of people, keys or tokens; what not everyone may
// read is skipped anyway.
constexpr std::array copied = {"alternatives",
                               "bash.bashrc",
                               "bash_completion.d",
                               "ca-certificates",
                               "ca-certificates.conf",
                               "debian_version",
                               "dpkg",
                               "gai.conf",
                               "groff",
                               "host.conf",
                               "inputrc",
                               "java-11-openjdk",
                               "java-17-openjdk",
                               "java-21-openjdk",
                               "ld.so.cache",
                               "ld.so.conf",
                               "ld.so.conf.d",
                               "locale.alias",
                               "localtime",
                               "login.defs",
                               "magic",
                               "magic.mime",
                               "manpath.config",
                               "mime.types",
                               "os-release",
                               "perl",
                               "protocols",
                               "python3",
                               "python3.11",
                               "python3.12",
                               "python3.13",
                               "rpc",
                               "security",
                               "services",
                               "shells",
                               "skel",
                               "ssl",
                               "terminfo",
                               "timezone",
                               "vim",
                               "vimrc",
                               "xml"};

constexpr std::array directories = {"dev",
                                    "etc",
                                    "home",
                                    "media",
                                    "mnt",
                                    "opt",
                                    "proc",
                                    "root",
                                    "run",
                                    "srv",
                                    "sys",
                                    "tmp",
                                    "usr",
                                    "var",
                                    "workspace",
                                    "etc/apt",
                                    "etc/apt/apt.conf.d",
                                    "etc/apt/preferences.d",
                                    "etc/apt/sources.list.d",
                                    "etc/apt/trusted.gpg.d",
                                    "etc/default",
                                    "etc/pam.d",
                                    "etc/profile.d",
                                    "etc/sudoers.d",
                                    "var/backups",
                                    "var/cache",
                                    "var/cache/apt",
                                    "var/cache/apt/archives",
                                    "var/cache/apt/archives/partial",
                                    "var/lib",
                                    "var/lib/apt",
                                    "var/lib/apt/lists",
                                    "var/lib/apt/lists/partial",
                                    "var/lib/dpkg",
                                    "var/lib/dpkg/info",
                                    "var/lib/dpkg/updates",
                                    "var/lib/sudo",
                                    "var/local",
                                    "var/log",
                                    "var/mail",
                                    "var/opt",
                                    "var/spool",
                                    "var/tmp"};

class builder {
 public:
  explicit builder(fs::path root) : root_(std::move(root)) {}

  void make_directories() {
    for (const auto* each : directories) {
      fs::create_directory(root_ / each);
      ::chmod((root_ / each).c_str(), mode_of(each));
    }
    for (const auto* each : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
      std::error_code none;
      if (!fs::exists(std::string("/usr/") + each, none)) continue;
      link(each, std::string("usr/") + each);
    }
    link("var/run", "/run");
    link("var/lock", "/run/lock");
    link("etc/mtab", "/proc/self/mounts");
  }

  void copy_listed() {
    for (const auto* each : copied) copy(fs::path("/etc") / each, root_ / "etc" / each);
  }

  void write(const std::string& path, const std::string& text, unsigned mode = 0644) {
    std::ofstream(root_ / path, std::ios::trunc) << text;
    ::chmod((root_ / path).c_str(), mode);
    digest(path);
    digest(text);
  }

  std::string fingerprint() const {
    std::ostringstream out;
    out << std::hex << hash_;
    return out.str();
  }

 private:
  static unsigned mode_of(std::string_view path) {
    if (path == "tmp" || path == "var/tmp") return 01777;
    if (path == "root" || path == "var/lib/sudo") return 0700;
    return 0755;
  }
  void digest(std::string_view text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * fnv_prime;
  }
  void link(const std::string& at, const std::string& target) {
    std::error_code ignored;
    fs::create_symlink(target, root_ / at, ignored);
    digest(at);
    digest(target);
  }

  void copy(const fs::path& from, const fs::path& to) {
    struct stat seen {};
    if (::lstat(from.c_str(), &seen) != 0) return;
    std::error_code ignored;
    if (S_ISLNK(seen.st_mode)) {
      const auto target = fs::read_symlink(from, ignored);
      fs::create_symlink(target, to, ignored);
      digest(to.native());
      digest(target.native());
      return;
    }
    if ((seen.st_mode & S_IROTH) == 0) return;
    if (S_ISDIR(seen.st_mode)) {
      fs::create_directory(to, ignored);
      ::chmod(to.c_str(), seen.st_mode & 0755);
      for (fs::directory_iterator each(from, ignored), end; !ignored && each != end;
           each.increment(ignored)) {
        // Most of /etc/alternatives is pages of manuals.
        if (each->path().extension() == ".gz") continue;
        copy(each->path(), to / each->path().filename());
      }
    } else if (S_ISREG(seen.st_mode) &&
               static_cast<std::uintmax_t>(seen.st_size) <= copied_file_bytes_max) {
      fs::copy_file(from, to, ignored);
      ::chmod(to.c_str(), seen.st_mode & 0755);
      digest(to.filename().native() + std::to_string(seen.st_size) + "." +
             std::to_string(seen.st_mtime));
    }
  }

  fs::path root_;
  std::uint64_t hash_{fnv_basis};
};

void write_generated(builder& b, bool reduced, std::vector<std::string>& problems) {
  b.write("etc/passwd", template_files::passwd(reduced));
  b.write("etc/group", template_files::group(reduced));
  b.write("etc/shadow", template_files::shadow(), 0640);
  b.write("etc/gshadow", "", 0640);
  b.write("etc/sudoers", template_files::sudoers(), 0440);
  b.write("etc/nsswitch.conf", template_files::nsswitch());
  b.write("etc/profile", template_files::profile());
  b.write("etc/environment", "LANG=C.UTF-8\n");
  b.write("etc/default/locale", "LANG=C.UTF-8\n");
  b.write("etc/locale.conf", "LANG=C.UTF-8\n");
  b.write("etc/hostname", "berth\n");
  b.write("etc/hosts", template_files::hosts("berth"));
  b.write("etc/fstab", "");
  b.write("etc/machine-id", "");
  for (const auto& [name, text] : template_files::apt_sources()) b.write("etc/apt/" + name, text);
  b.write("var/lib/dpkg/status", "");
  for (const auto& [name, text] : template_files::pam()) b.write("etc/pam.d/" + name, text);
  const auto resolver =
      template_files::resolv_conf(template_files::read("/etc/resolv.conf"),
                                  template_files::read("/run/systemd/resolve/resolv.conf"));
  b.write("etc/resolv.conf", resolver.text);
  if (!resolver.problem.empty()) problems.push_back(resolver.problem);
  std::error_code none;
  if (!fs::exists("/usr/bin/sudo", none))
    problems.push_back("template: sudo is not installed; install the package sudo");
  if (!fs::exists("/etc/ssl/certs/ca-certificates.crt", none)) {
    problems.push_back("template: no CA certificates; install the package ca-certificates");
  }
}

}  // namespace

host_result<built_template> build_host_template(const std::string& data_dir, bool reduced) {
  built_template made;
  const auto base = fs::path(data_dir) / "templates";
  const auto fresh = base / ".new";
  try {
    fs::create_directories(base);
    fs::remove_all(fresh);
    fs::create_directory(fresh);
    ::chmod(fresh.c_str(), 0755);
    builder b(fresh);
    b.make_directories();
    b.copy_listed();
    write_generated(b, reduced, made.problems);
    const auto final_path = base / ("host-" + b.fingerprint());
    made.path = fs::absolute(final_path).native();
    if (fs::exists(final_path))
      fs::remove_all(fresh);
    else
      fs::rename(fresh, final_path);
  } catch (const fs::filesystem_error& failed) {
    return host_error{host_errc::io, std::string("making the host template: ") + failed.what(),
                      "check space and rights of " + base.native()};
  }
  return made;
}

template_info describe_host_template() {
  // tool, Debian package that has its version
  constexpr std::array<std::pair<const char*, const char*>, 22> tools = {
      {{"bash", "bash"},   {"git", "git"},        {"vim", "vim"},   {"vi", "vim-tiny"},
       {"nano", "nano"},   {"sudo", "sudo"},      {"ps", "procps"}, {"top", "procps"},
       {"less", "less"},   {"curl", "curl"},      {"wget", "wget"}, {"python3", "python3"},
       {"gcc", "gcc"},     {"g++", "g++"},        {"make", "make"}, {"cmake", "cmake"},
       {"node", "nodejs"}, {"perl", "perl-base"}, {"tmux", "tmux"}, {"ssh", "openssh-client"},
       {"rsync", "rsync"}, {"jq", "jq"}}};
  std::map<std::string, std::string> versions;
  std::ifstream status("/var/lib/dpkg/status");
  std::string package;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Package: ", 0) == 0) package = line.substr(9);
    if (line.rfind("Version: ", 0) == 0) versions[package] = line.substr(9);
  }
  template_info info{
      "host", "this machine's /usr with a home, a workspace and sudo of its own", {}};
  for (const auto& [tool, owner] : tools) {
    std::error_code none;
    if (!fs::exists(std::string("/usr/bin/") + tool, none)) continue;
    const auto at = versions.find(owner);
    info.tools.emplace_back(tool, at == versions.end() ? "present" : at->second);
  }
  return info;
}

}  // namespace berth
