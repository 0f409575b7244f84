// Result<T>: a value or an Error. Functions of the project that can fail return one; exceptions
// of libraries do not leave the file that calls them.
#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

namespace trimtab {

// What kind of failure, as far as a caller may want to act on it.
enum class Errc {
  failed,       // none of the below
  invalid,      // input that is wrong and stays wrong until somebody changes it
  not_found,    // the thing asked for does not exist
  denied,       // credentials are missing, wrong or not sufficient
  untrusted,    // the other side is not who it should be (host key, certificate)
  unavailable,  // the other side cannot be reached or asks to come back later
  timed_out,    // a deadline passed
  cancelled,    // we stopped it ourselves
  too_large,    // an input exceeded its bound
  no_space,     // disk or quota full
  conflict,     // something else holds it, or it is in another state than needed
};

// A failure for people: what is wrong and where, then (hint) what to do next.
struct Error {
  Errc code = Errc::failed;
  std::string message;
  std::string hint;
  std::chrono::seconds retry_after{
      0};  // the other side asked for that much patience; 0: it did not

  // The same error, with "while …: " in front of the message.
  [[nodiscard]] Error context(const std::string& where) const {
    return Error{code, where + ": " + message, hint, retry_after};
  }
  // "message; hint", or the message alone.
  [[nodiscard]] std::string text() const { return hint.empty() ? message : message + "; " + hint; }

  friend bool operator==(const Error&, const Error&) = default;
};

// Whether waiting may cure it: the world's failure, not that of the content.
inline bool is_transient(Errc code) {
  return code == Errc::unavailable || code == Errc::timed_out || code == Errc::cancelled ||
         code == Errc::no_space;
}

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error("unchecked result: " + error.message);
}

// Default-constructible, as co_spawn of an awaitable<Result<T>> asks for.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

}  // namespace trimtab
