// Result<T>: a value or an Error. Functions that can fail return one; exceptions of libraries do
// not leave the file that calls them.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

namespace trimtab {

// The kind of a failure, as far as callers need to distinguish it.
enum class Errc {
  failed,       // none of the following
  invalid,      // wrong input, which stays wrong until somebody changes it
  not_found,    // the requested object does not exist
  denied,       // credentials are missing, wrong or insufficient
  untrusted,    // the peer is not who it should be (host key, certificate)
  unavailable,  // the peer cannot be reached or asks to retry later
  timed_out,    // a deadline passed
  cancelled,    // this process cancelled it
  too_large,    // an input exceeded its bound
  no_space,     // disk or quota full
  conflict,     // something else holds it, or it is in the wrong state
};

// A failure described for the user: what is wrong and where, then (hint) what to do next.
struct Error {
  Errc code = Errc::failed;
  std::string message;
  std::string hint;
  // The delay that the peer asked for; 0: none.
  std::chrono::seconds retry_after{0};

  // Returns the same error with "where: " in front of the message.
  [[nodiscard]] Error context(const std::string& where) const {
    return Error{code, where + ": " + message, hint, retry_after};
  }
  // Returns "message; hint", or only the message.
  [[nodiscard]] std::string text() const { return hint.empty() ? message : message + "; " + hint; }

  friend bool operator==(const Error&, const Error&) = default;
};

// Whether a retry may succeed without any change.
inline bool is_transient(Errc code) {
  return code == Errc::unavailable || code == Errc::timed_out || code == Errc::cancelled ||
         code == Errc::no_space;
}

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error("unchecked result: " + error.message);
}

// Default-constructible, as co_spawn requires for an awaitable<Result<T>>.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

}  // namespace trimtab
