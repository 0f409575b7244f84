// Finds AWS keys in the places where AWS's own tools look for them.
#pragma once

#include <string_view>

#include "agent/model/login.hpp"
#include "agent/registry/aws_signature.hpp"
#include "common/result.hpp"

namespace trimtab {

// Returns the keys of a profile from the text of a credentials file in AWS's INI format. not_found
// if there is no such profile, invalid if it has no usable keys. The error names the profile but
// never quotes the file.
Result<AwsKeys> parse_aws_credentials(std::string_view text, const std::string& profile);

// Returns the current keys: from settings.aws_credentials_file, else from the environment, else
// from $HOME/.aws/credentials. If the settings name a profile, the environment is skipped.
// not_found if there are none.
Result<AwsKeys> find_aws_keys(const RegistrySettings& settings);

}  // namespace trimtab
