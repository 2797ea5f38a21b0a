#include "parallel/collectively.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

namespace precis {

namespace {

constexpr std::size_t longest_message = 4'000;

/// Cut so that no UTF-8 character is split.
void shorten(std::string& text) {
  if (text.size() <= longest_message) {
    return;
  }
  std::size_t end = longest_message;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  text.resize(end);
  text += " [...]";
}

}  // namespace

void agree_on_error(RankGroup& ranks, const std::exception_ptr& mine) {
  // The maximum of the negated ranks is the lowest failing one; the value of a rank without an
  // error is below all of them.
  const std::int64_t nobody = -static_cast<std::int64_t>(ranks.size());
  const std::int64_t lowest = -all_max(ranks, mine ? -std::int64_t{ranks.rank()} : nobody);
  if (lowest == -nobody) {
    return;
  }
  const int failing = static_cast<int>(lowest);
  Failure failure;
  if (ranks.rank() == failing) {
    failure = failure_of(mine);
    shorten(failure.message);
  }
  auto status = static_cast<std::int64_t>(failure.status);
  ranks.broadcast(std::as_writable_bytes(std::span(&status, 1)), failing);
  const std::string message = ranks.broadcast_text(failure.message, failing);
  throw AgreedError(message, static_cast<ExitStatus>(status), failing, ranks.size());
}

}  // namespace precis
