#include "common/certificate.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/plan/preflight/preflight.hpp"
#include "agent/reconcile/certificates.hpp"
#include "agent/resolve/nginx_certificates.hpp"
#include "common/files.hpp"
#include "tests/lib/directory_snapshot.hpp"
#include "tests/lib/temporary_folder.hpp"

namespace trimtab {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

TEST(Certificate, ThatIsSelfSignedSaysItsNamesAndItsEnd) {
  const auto pair = make_self_signed({"shop.example.org", "www.shop.example.org", "10.0.0.1"}, 48h);
  ASSERT_TRUE(pair) << pair.error().text();
  const auto certificate = parse_certificate(pair->certificate + "more follows");
  ASSERT_TRUE(certificate);
  EXPECT_TRUE(certificate->self_signed);
  EXPECT_EQ(certificate->names,
            (std::vector<std::string>{"shop.example.org", "www.shop.example.org"}));
  const auto left = certificate->expires_at - wall_now();
  EXPECT_GT(left, 47h);
  EXPECT_LE(left, 48h);
  EXPECT_NE(pair->key.find("BEGIN PRIVATE KEY"), std::string::npos);
  EXPECT_NE(pair->certificate, make_self_signed({"shop.example.org"}, 48h)->certificate);
}

TEST(Certificate, WhatIsNoneIsAnError) {
  for (const char* text :
       {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----"}) {
    const auto certificate = parse_certificate(text);
    ASSERT_FALSE(certificate) << text;
    EXPECT_EQ(certificate.error().code, Errc::invalid);
  }
  EXPECT_FALSE(make_self_signed({}, 1h));
}

TEST(NginxCertificates, AreThoseOfTheServers) {
  struct Row {
    const char* configuration;
    std::vector<ServerCertificate> found;
  };
  for (const Row& row : {
           Row{"", {}},
           Row{"events {} http { server { listen 80; server_name a.org; } }", {}},
           Row{R"(
http {
  # ssl_certificate /no/comment.pem;
  server {
    listen 443 ssl; server_name shop.org www.shop.org _ ~^x\.(.+)$ *.shop.org;
    ssl_certificate "/etc/nginx/certs/fullchain.pem";
    ssl_certificate_key '/etc/nginx/certs/privkey.pem';
    location / { proxy_pass http://frontend:3000; }
  }
})",
               {{"/etc/nginx/certs/fullchain.pem",
                 "/etc/nginx/certs/privkey.pem",
                 {"shop.org", "www.shop.org"}}}},
           Row{"ssl_certificate /c; ssl_certificate_key /k; server { server_name a.org; } "
               "server { server_name b.org; ssl_certificate /d; ssl_certificate_key /l; }",
               {{"/c", "/k", {"a.org"}}, {"/d", "/l", {"b.org"}}}},
           Row{"server { ssl_certificate /certs/$ssl_server_name; ssl_certificate_key /k; }", {}},
           Row{"server { ssl_certificate relative; ssl_certificate_key /k; }", {}},
           Row{"server { ssl_certificate /c; }", {}},
           Row{"ssl_certificate /c; ssl_certificate_key /k", {}},
           Row{"}}}} \"", {}},
       }) {
    EXPECT_EQ(server_certificates(row.configuration), row.found) << row.configuration;
  }
  EXPECT_TRUE(server_certificates(std::string(100'000, '{')).empty());
}

TEST(NginxCertificates, LieWhereTheMountsHaveThem) {
  const std::vector<Mount> mounts = {{"bind", "/srv/shop/certs", "/etc/nginx/certs"},
                                     {"bind", "/srv/shop/one.pem", "/etc/nginx/certs/one.pem"},
                                     {"volume", "letsencrypt", "/etc/letsencrypt"}};
  EXPECT_EQ(host_path(mounts, "/etc/nginx/certs/a.pem"), "/srv/shop/certs/a.pem");
  EXPECT_EQ(host_path(mounts, "/etc/nginx/certs/one.pem"), "/srv/shop/one.pem");
  EXPECT_EQ(host_path(mounts, "/etc/nginx/certsx/a.pem"), "");
  EXPECT_EQ(host_path(mounts, "/etc/letsencrypt/live/a.pem"), "");
}

class Certificates : public testing::Test {
 protected:
  Certificates() {
    write("nginx.conf",
          "server { server_name shop.org; ssl_certificate /certs/c.pem; "
          "ssl_certificate_key /certs/k.pem; }");
    rendering_ = mounting(folder_.path());
  }

  static Rendering mounting(const fs::path& live) {
    Json service;
    service["volumes"] = Json::array();
    for (const auto& [source, target] :
         {std::pair("nginx.conf", "/etc/nginx/nginx.conf"), std::pair("certs", "/certs")}) {
      Json mount;
      mount["type"] = "bind";
      mount["source"] = (live / source).string();
      mount["target"] = target;
      service["volumes"].push_back(mount);
    }
    Rendering rendering;
    rendering.model["services"]["proxy"] = service;
    return rendering;
  }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name) << text;
  }
  std::vector<ServerCertificateFile> find() const {
    return find_certificates(rendering_, folder_.path(), folder_.path());
  }
  std::string certificate() const { return *read_file(folder_.path() / "certs/c.pem"); }

  Result<std::vector<std::string>> provide(const std::vector<ServerCertificateFile>& files) {
    return provide_certificates(files, folder_.path());
  }

  test::TemporaryFolder folder_;
  Rendering rendering_;
};

TEST_F(Certificates, ThatAreMissingAreMadeOnce) {
  const auto missing = find();
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_TRUE(missing[0].missing);
  EXPECT_EQ(missing[0].service, "proxy");
  EXPECT_EQ(missing[0].certificate, folder_.path() / "certs/c.pem");

  const auto made = provide(missing);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), 1U);
  EXPECT_NE(made->front().find("shop.org"), std::string::npos);
  const auto there = find();
  ASSERT_TRUE(there[0].found) << there[0].problem;
  EXPECT_TRUE(there[0].found->self_signed);
  EXPECT_EQ(there[0].found->names, std::vector<std::string>{"shop.org"});
  EXPECT_TRUE(provide(there)->empty());
  struct stat status {};
  ASSERT_EQ(::stat((folder_.path() / "certs/k.pem").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Certificates, ThatAreSelfSignedAreMadeAnewInPlaceBeforeTheyEnd) {
  const auto ending = make_self_signed({"shop.org"}, 24h);
  write("certs/c.pem", ending->certificate);
  write("certs/k.pem", ending->key);
  struct stat before {};
  ::stat((folder_.path() / "certs/c.pem").c_str(), &before);
  EXPECT_EQ(provide(find())->size(), 1U);
  EXPECT_NE(certificate(), ending->certificate);
  struct stat after {};
  ::stat((folder_.path() / "certs/c.pem").c_str(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Certificates, OfSomebodyElseAreNeverTouched) {
  write("certs/k.pem", "a key");
  auto half = find();
  EXPECT_FALSE(half[0].missing);
  EXPECT_NE(half[0].problem.find("c.pem is missing"), std::string::npos);
  EXPECT_TRUE(provide(half)->empty());
  write("certs/c.pem", "no certificate");
  auto broken = find();
  EXPECT_NE(broken[0].problem.find("no PEM certificate"), std::string::npos);
  EXPECT_TRUE(provide(broken)->empty());
  EXPECT_EQ(certificate(), "no certificate");
}

TEST_F(Certificates, ThatAKillCutInHalfAreMadeAnew) {
  write("certs/c.pem", make_self_signed({"shop.org"}, 24h * 30)->certificate);
  EXPECT_TRUE(find()[0].missing);
  EXPECT_EQ(provide(find())->size(), 1U);
  EXPECT_TRUE(find()[0].found);
}

TEST_F(Certificates, AreNotMadeOutsideOfTheStacksDirectory) {
  const test::TemporaryFolder elsewhere;
  fs::create_directory_symlink(elsewhere.path(), folder_.path() / "certs");
  const auto missing = find();
  EXPECT_TRUE(missing[0].missing);
  EXPECT_FALSE(missing[0].may_be_made);
  EXPECT_TRUE(provide(missing)->empty());
  EXPECT_TRUE(fs::is_empty(elsewhere.path()));
}

TEST_F(Certificates, AreMadeBeforeTheDirectoryIsThere) {
  const fs::path live = folder_.path() / "srv/shop";
  EXPECT_TRUE(find_certificates(mounting(live), live, folder_.path())[0].may_be_made);
  EXPECT_EQ(
      provide_certificates(find_certificates(mounting(live), live, folder_.path()), live)->size(),
      1U);
  EXPECT_TRUE(fs::exists(live / "certs/k.pem"));
}

// A container that shares the folder is root in it, and may exchange what is there at any moment.
TEST_F(Certificates, AreNotMadeThroughALinkThatComesLater) {
  const test::TemporaryFolder elsewhere;
  for (const char* const name : {"c.pem", "k.pem"}) {
    ASSERT_TRUE(write_file_durably(elsewhere / name, "theirs"));
  }
  const auto before = test::snapshot(elsewhere.path());
  const auto missing = find();
  ASSERT_TRUE(missing[0].may_be_made);
  fs::create_directory_symlink(elsewhere.path(), folder_.path() / "certs");
  EXPECT_EQ(provide(missing).error().code, Errc::conflict);
  fs::remove(folder_.path() / "certs");
  const auto ending = make_self_signed({"shop.org"}, 24h);
  write("certs/c.pem", ending->certificate);
  write("certs/k.pem", ending->key);
  const auto ends = find();
  ASSERT_TRUE(ends[0].may_be_made);
  fs::remove(folder_.path() / "certs/k.pem");
  fs::create_symlink(elsewhere / "k.pem", folder_.path() / "certs/k.pem");
  EXPECT_EQ(provide(ends).error().code, Errc::conflict);
  EXPECT_FALSE(find()[0].may_be_made);
  EXPECT_EQ(test::snapshot(elsewhere.path()), before);
}

TEST_F(Certificates, PipesInTheirPlaceKeepNobodyWaiting) {
  fs::create_directories(folder_.path() / "certs");
  ASSERT_EQ(::mkfifo((folder_.path() / "certs/c.pem").c_str(), 0600), 0);
  write("certs/k.pem", "a key");
  EXPECT_NE(find()[0].problem.find("is a pipe or a device"), std::string::npos)
      << find()[0].problem;
}

TEST(CertificatePreflight, SaysWhatNginxWouldStumbleOver) {
  ServerCertificateFile file;
  file.service = "proxy";
  file.certificate = "/srv/shop/certs/c.pem";
  file.key = "/srv/shop/certs/k.pem";
  preflight::Input input;
  input.now = wall_now();
  const auto words = [&input, &file] {
    input.certificates = {file};
    std::string text;
    for (const PreflightFinding& finding : preflight::certificates(input)) {
      text += finding.severity == PreflightFinding::Severity::error ? "error: " : "warning: ";
      text += finding.message;
    }
    return text;
  };
  file.missing = true;
  EXPECT_EQ(words(), "error: the certificate /srv/shop/certs/c.pem of service proxy is missing");
  input.self_signed_until_issued = true;
  EXPECT_EQ(words(), "error: the certificate /srv/shop/certs/c.pem of service proxy is missing");
  file.may_be_made = true;
  EXPECT_EQ(words(), "");
  file.missing = false;
  file.problem = "/srv/shop/certs/k.pem is missing";
  EXPECT_EQ(words(),
            "error: the certificate /srv/shop/certs/c.pem of service proxy cannot be used: "
            "/srv/shop/certs/k.pem is missing");
  file.problem.clear();
  file.found = Certificate{input.now + 24h * 60, false, {}};
  EXPECT_EQ(words(), "");
  file.found->expires_at = input.now + 24h * 10;
  EXPECT_NE(
      words().find("warning: the certificate /srv/shop/certs/c.pem of service proxy expires at"),
      std::string::npos);
  file.found->self_signed = true;
  EXPECT_EQ(words(), "");
  file.found->expires_at = input.now - 1h;
  EXPECT_NE(words().find("expired at"), std::string::npos);
}

}  // namespace
}  // namespace trimtab
