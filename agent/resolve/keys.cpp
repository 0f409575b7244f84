#include "agent/resolve/keys.hpp"

#include <nlohmann/json.hpp>

#include "common/hash.hpp"

namespace trimtab {
namespace {

// nlohmann::json sorts keys; Json, an ordered_json, does not.
std::string canonical(const Json& value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string inputs_key(const Inputs& inputs) {
  Json all;
  all["commit"] = inputs.commit;
  all["settings"] = inputs.settings;
  all["files"] = inputs.files;
  all["digests"] = inputs.digests;
  return sha256_hex(canonical(all));
}

const std::string& InputsKey::of(Inputs inputs) {
  if (key_.empty() || inputs != last_) {
    key_ = inputs_key(inputs);
    last_ = std::move(inputs);
  }
  return key_;
}

std::string content_key(const Json& model,
                        const std::map<std::string, std::map<std::string, std::string>>& mounted) {
  Json all;
  all["model"] = model;
  all["mounted"] = mounted;
  return sha256_hex(canonical(all));
}

}  // namespace trimtab
