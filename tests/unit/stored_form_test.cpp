// Which files are not what they seem.
#include <gtest/gtest.h>

#include "agent/model/stored_form.hpp"

namespace trimtab {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string name;
  std::string_view beginning;
  StoredForm expected;
};

std::ostream& operator<<(std::ostream& out, const Case& row) {
  return out << row.name;
}

class StoredForms : public testing::TestWithParam<Case> {};

TEST_P(StoredForms, AreToldByTheContent) {
  EXPECT_EQ(stored_form(GetParam().beginning), GetParam().expected);
}

constexpr std::string_view pointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n"sv;

INSTANTIATE_TEST_SUITE_P(
    All, StoredForms,
    testing::Values(
        Case{"Nothing", "", StoredForm::as_it_is},
        Case{"Text", "PASSWORD=x\n", StoredForm::as_it_is},
        Case{"Pointer", pointer, StoredForm::lfs_pointer},
        Case{"TextAboutPointers",
             "A pointer begins with version https://git-lfs.github.com/spec/v1",
             StoredForm::as_it_is},
        Case{"PointerWithoutAnId", "version https://git-lfs.github.com/spec/v1\nsize 3\n",
             StoredForm::as_it_is},
        Case{"GitCrypt", "\0GITCRYPT\0\x12\x34\x56"sv, StoredForm::git_crypt},
        Case{"TextAboutGitCrypt", "GITCRYPT", StoredForm::as_it_is},
        Case{"SopsYaml",
             "password: ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=]\nsops:\n"
             "    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[AES256_GCM,data:x]\n",
             StoredForm::sops},
        Case{"SopsEnvFile",
             "PASSWORD=ENC[AES256_GCM,data:p673w==,iv:YY=,tag:A=,type:str]\n"
             "sops_lastmodified=2026-01-01T00:00:00Z\nsops_mac=ENC[AES256_GCM,data:x]\n",
             StoredForm::sops},
        Case{"SopsJson",
             R"({"data": "ENC[AES256_GCM,data:tA==]", "sops": {"lastmodified": "2026"}})",
             StoredForm::sops},
        Case{"TextAboutSops", "SOPS writes ENC[AES256_GCM,data:…] in place of a value",
             StoredForm::as_it_is}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace trimtab
