// AWS's keys, from where AWS's own tools look for them.
#pragma once

#include <string_view>

#include "agent/model/login.hpp"
#include "agent/registry/aws_signature.hpp"
#include "common/result.hpp"

namespace trimtab {

// The keys of a profile in the text of a file of credentials, INI as AWS's tools write it.
// not_found where there is no such profile, invalid where it has no usable keys. The error names
// the profile, never what the file says.
Result<AwsKeys> parse_aws_credentials(std::string_view text, const std::string& profile);

// The keys as they are now: of settings.aws_credentials_file, else of the environment, else of
// $HOME/.aws/credentials; a profile in the settings is looked for in a file alone. not_found where
// there are none.
Result<AwsKeys> find_aws_keys(const RegistrySettings& settings);

}  // namespace trimtab
