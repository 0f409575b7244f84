#include "common/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "common/url.hpp"

namespace trimtab {

namespace {

template <auto function>
struct OpensslDeleter {
  void operator()(auto* pointer) const { function(pointer); }
};
using Bio = std::unique_ptr<BIO, OpensslDeleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, OpensslDeleter<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, OpensslDeleter<GENERAL_NAMES_free>>;

// Valid from one day earlier, so that peers whose clocks are behind accept it immediately.
constexpr long clock_tolerance = -24 * 3600;

Bio memory(std::string_view text = {}) {
  if (text.empty()) return Bio(BIO_new(BIO_s_mem()));
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
  const char* data = nullptr;
  const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const Names found(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; found && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type != GEN_DNS) continue;
    const unsigned char* const bytes = ASN1_STRING_get0_data(name->d.dNSName);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName));
    names.push_back(printable(std::string(bytes, bytes + size)));
  }
  return names;
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_nconf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names,
          std::chrono::hours validity) {
  std::uint32_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) != 1) return false;
  std::string alternatives;
  for (const std::string& name : names) {
    alternatives += (alternatives.empty() ? "" : ",") +
                    std::string(http::is_ip_address(name) ? "IP:" : "DNS:") + name;
  }
  // OpenSSL rejects a longer common name; clients only check the subject alternative names.
  const std::string common = names.front().substr(0, 64);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(common.c_str());
  const long seconds = static_cast<long>(std::chrono::seconds(validity).count());
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), clock_tolerance) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), seconds) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, bytes, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 &&
         add_extension(certificate, NID_subject_alt_name, alternatives) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<Certificate> parse_certificate(std::string_view pem) {
  const Error malformed{Errc::invalid, "it contains no PEM certificate", {}};
  if (pem.empty()) return malformed;
  const Bio bio = memory(pem);
  const X509Ptr found(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  std::tm expires{};
  if (!found || ASN1_TIME_to_tm(X509_get0_notAfter(found.get()), &expires) != 1) return malformed;
  Certificate certificate;
  certificate.expires_at = std::chrono::time_point_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::from_time_t(::timegm(&expires)));
  certificate.self_signed =
      X509_NAME_cmp(X509_get_subject_name(found.get()), X509_get_issuer_name(found.get())) == 0;
  certificate.names = names_of(found.get());
  return certificate;
}

Result<CertificatePair> make_self_signed(const std::vector<std::string>& names,
                                         std::chrono::hours validity) {
  const Error failed{
      Errc::failed, "OpenSSL cannot create a certificate for " + join(names, ", "), {}};
  const Key key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  if (!key || !certificate || names.empty() ||
      !fill(certificate.get(), key.get(), names, validity)) {
    return failed;
  }
  const Bio certificate_out = memory();
  const Bio key_out = memory();
  if (PEM_write_bio_X509(certificate_out.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return failed;
  }
  return CertificatePair{text_of(certificate_out.get()), text_of(key_out.get())};
}

}  // namespace trimtab
