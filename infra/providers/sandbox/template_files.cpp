#include "infra/providers/sandbox/template_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace berth::template_files {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

std::string passwd(bool reduced) {
  if (reduced) {
    return "dev:x:0:0:developer:/home/dev:/bin/bash\nroot:x:0:0:root:/root:/bin/bash\n"
           "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
  }
  return "root:x:0:0:root:/root:/bin/bash\n"
         "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
         "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
         "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
         "man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
         "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
         "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
         "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
         "dev:x:1000:1000:developer:/home/dev:/bin/bash\n"
         "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
}

std::string group(bool reduced) {
  if (reduced) return "dev:x:0:\nroot:x:0:\ntty:x:5:\nnogroup:x:65534:\n";
  return "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nmail:x:8:"
         "\nman:x:12:\n"
         "sudo:x:27:dev\nwww-data:x:33:\nshadow:x:42:\nutmp:x:43:\nvideo:x:44:\nstaff:x:50:\nusers:"
         "x:100:\n"
         "dev:x:1000:\nnogroup:x:65534:\n";
}

std::string shadow() {
  std::string text;
  for (const auto* name :
       {"root", "daemon", "bin", "sys", "man", "mail", "www-data", "_apt", "dev", "nobody"}) {
    text += std::string(name) + ":*:20000:0:99999:7:::\n";
  }
  return text;
}

std::string sudoers() {
  return "Defaults env_reset\n"
         "Defaults !lecture\n"
         "Defaults env_keep += \"LANG LC_ALL TERM COLORTERM BERTH_*\"\n"
         "Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n"
         "root ALL=(ALL:ALL) ALL\n"
         "dev ALL=(ALL:ALL) NOPASSWD: ALL\n"
         "@includedir /etc/sudoers.d\n";
}

std::string nsswitch() {
  return "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files dns\nnetworks: "
         "files\n"
         "protocols: files\nservices: files\nethers: files\nrpc: files\n";
}

std::string profile() {
  return "if [ \"$(id -u)\" = 0 ]; then\n"
         "  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
         "else\n"
         "  PATH=$HOME/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\n"
         "fi\n"
         "export PATH\n"
         ": \"${LANG:=C.UTF-8}\"\n"
         "export LANG\n"
         "if [ -n \"$PS1\" ] && [ -n \"$BASH\" ] && [ -f /etc/bash.bashrc ]; then . "
         "/etc/bash.bashrc; fi\n"
         "for script in /etc/profile.d/*.sh; do [ -r \"$script\" ] && . \"$script\"; done\n"
         "unset script\n";
}

std::string hosts(const std::string& name) {
  return "127.0.0.1 localhost\n127.0.1.1 " + name + "\n::1 localhost ip6-localhost ip6-loopback\n";
}

// The host's own mirrors, those that need no credentials.
std::vector<std::pair<std::string, std::string>> apt_sources() {
  std::istringstream list(read("/etc/apt/sources.list"));
  std::string kept;
  for (std::string line; std::getline(list, line);)
    if (line.rfind("deb ", 0) == 0 && line.find('@') == std::string::npos) kept += line + "\n";
  std::vector<std::pair<std::string, std::string>> files{{"sources.list", kept}};
  std::error_code none;
  for (std::filesystem::directory_iterator each("/etc/apt/sources.list.d", none), end;
       !none && each != end; each.increment(none)) {
    const auto kind = each->path().extension();
    if (kind != ".list" && kind != ".sources") continue;
    auto text = read(each->path().native());
    if (text.find('@') == std::string::npos)
      files.emplace_back("sources.list.d/" + each->path().filename().native(), std::move(text));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::pair<std::string, std::string>> pam() {
  const std::string rules =
      "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth "
      "required pam_permit.so\n"
      "account required pam_unix.so\npassword required pam_unix.so obscure yescrypt\n"
      "session required pam_permit.so\n";
  const std::string rootok = "auth sufficient pam_rootok.so\n";
  return {{"other", rules},
          {"login", rules},
          {"passwd", "password required pam_unix.so obscure yescrypt\n"},
          {"sudo", rules},
          {"sudo-i", rules},
          {"su", rootok + rules},
          {"su-l", rootok + rules},
          {"chsh", rootok + rules},
          {"chfn", rootok + rules},
          {"runuser", rootok + "session required pam_permit.so\n"},
          {"runuser-l", rootok + "session required pam_permit.so\n"},
          {"common-auth", "auth required pam_unix.so nullok\n"},
          {"common-account", "account required pam_unix.so\n"},
          {"common-password", "password required pam_unix.so obscure yescrypt\n"},
          {"common-session", "session required pam_permit.so\n"},
          {"common-session-noninteractive", "session required pam_permit.so\n"}};
}

resolver resolv_conf(const std::string& host, const std::string& behind_the_stub) {
  const auto reachable = [](const std::string& text) {
    std::string kept;
    bool server = false;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string key;
      std::string value;
      words >> key >> value;
      const bool loopback = value.rfind("127.", 0) == 0 || value == "::1";
      if (key == "nameserver" && !loopback) {
        kept += line + "\n";
        server = true;
      } else if (key == "search" || key == "domain" || (key == "options" && server)) {
        kept += line + "\n";
      }
    }
    return server ? kept : std::string{};
  };
  if (auto text = reachable(host); !text.empty()) return {text, ""};
  if (auto text = reachable(behind_the_stub); !text.empty()) return {text, ""};
  return {"# no resolver of the host can be reached from here\n",
          "dns: /etc/resolv.conf names only a resolver on loopback, which environments cannot "
          "reach; add a nameserver "
          "line with another address"};
}

}  // namespace berth::template_files
