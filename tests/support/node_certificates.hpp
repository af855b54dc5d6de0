// Certificates of a cluster's nodes, made for a test: an authority, and nodes that it signed for
// 127.0.0.1.
#pragma once

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace berth::testing {

class node_certificates {
 public:
  explicit node_certificates(const std::string& folder) : folder_{folder} {
    write(authority_, "ca");
  }
  std::string ca_file() const { return folder_ + "/ca.crt"; }

  struct files {
    std::string certificate;
    std::string key;
  };
  files make(const std::string& name) {
    pair made{name, &authority_};
    write(made, name);
    return {folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key"};
  }

 private:
  struct pair {
    // Signed by `by`, or by itself.
    pair(const std::string& name, const pair* by)
        : key{EVP_EC_gen("P-256"), EVP_PKEY_free}, certificate{X509_new(), X509_free} {
      static long serial = 1;
      auto* x = certificate.get();
      X509_set_version(x, 2);
      ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
      X509_gmtime_adj(X509_getm_notBefore(x), -3600);
      X509_gmtime_adj(X509_getm_notAfter(x), 24L * 3600);
      X509_set_pubkey(x, key.get());
      X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
      X509_set_issuer_name(x, X509_get_subject_name(by ? by->certificate.get() : x));
      add(NID_basic_constraints, by ? "CA:FALSE" : "CA:TRUE");
      if (by) add(NID_subject_alt_name, "IP:127.0.0.1");
      if (X509_sign(x, by ? by->key.get() : key.get(), EVP_sha256()) == 0)
        throw std::runtime_error("cannot sign a certificate");
    }
    void add(int kind, const char* value) {
      auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
      X509_add_ext(certificate.get(), extension, -1);
      X509_EXTENSION_free(extension);
    }
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key;
    std::unique_ptr<X509, void (*)(X509*)> certificate;
  };

  void write(const pair& of, const std::string& name) const {
    const auto open = [&](const std::string& ending) {
      return std::unique_ptr<std::FILE, int (*)(std::FILE*)>{
          std::fopen((folder_ + "/" + name + ending).c_str(), "w"), std::fclose};
    };
    PEM_write_X509(open(".crt").get(), of.certificate.get());
    PEM_write_PrivateKey(open(".key").get(), of.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  }

  const std::string folder_;
  const pair authority_{"authority", nullptr};
};

}  // namespace berth::testing
