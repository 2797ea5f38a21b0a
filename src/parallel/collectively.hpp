// Errors agreed between ranks: all return, or all throw.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// What every rank of a group throws when one of them failed: the message and the status of the
/// lowest failing rank. `main` prints it on rank 0 and finalizes if `ranks` is the whole world;
/// an error that a smaller group agreed on ends the job with MPI_Abort, like any other.
class AgreedError : public Error {
 public:
  AgreedError(const std::string& message, ExitStatus status, int rank, int ranks)
      : Error(message, status), rank_(rank), ranks_(ranks) {}
  /// The failing rank, in the group that agreed.
  [[nodiscard]] int rank() const noexcept { return rank_; }
  /// How many ranks throw this.
  [[nodiscard]] int ranks() const noexcept { return ranks_; }

 private:
  int rank_;
  int ranks_;
};

/// The non-template half of `collectively`: collective; returns if no rank has an error, else
/// throws AgreedError on every rank. Messages are cut to 4,000 bytes.
void agree_on_error(RankGroup& ranks, const std::exception_ptr& mine);

/// Runs `f()` on every rank; then every rank returns f's value, or every rank throws AgreedError
/// with the message and status of the lowest failing rank. For boundaries where one rank alone may
/// fail: reading a configuration or a file, allocating. `f` may use collectives only where no rank
/// can fail before them.
template <class F>
auto collectively(RankGroup& ranks, F&& f) -> std::invoke_result_t<F> {
  using Result = std::invoke_result_t<F>;
  std::exception_ptr error;
  if constexpr (std::is_void_v<Result>) {
    try {
      std::invoke(std::forward<F>(f));
    } catch (...) {
      error = std::current_exception();
    }
    agree_on_error(ranks, error);
  } else {
    static_assert(!std::is_reference_v<Result>, "collectively passes values, not references");
    std::optional<Result> result;
    try {
      result.emplace(std::invoke(std::forward<F>(f)));
    } catch (...) {
      error = std::current_exception();
    }
    agree_on_error(ranks, error);
    return *std::move(result);
  }
}

/// `collectively(*ranks, f)`; without ranks (null) `f()` alone.
template <class F>
auto collectively(RankGroup* ranks, F&& f) -> std::invoke_result_t<F> {
  return ranks == nullptr ? std::invoke(std::forward<F>(f))
                          : collectively(*ranks, std::forward<F>(f));
}

}  // namespace precis
