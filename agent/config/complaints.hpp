// Checks of single texts in a configuration file. Each returns what is wrong, or "".
#pragma once

#include <string>

namespace trimtab {

std::string project_complaint(const std::string& text);
std::string profile_complaint(const std::string& text);
std::string service_complaint(const std::string& text);
std::string username_complaint(const std::string& text);
std::string aws_profile_complaint(const std::string& text);
std::string host_pattern_complaint(const std::string& text);
std::string group_complaint(const std::string& text);
std::string unit_complaint(const std::string& text);
std::string relative_file_complaint(const std::string& text);
std::string ref_complaint(const std::string& text);

}  // namespace trimtab
