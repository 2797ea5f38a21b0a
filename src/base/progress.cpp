#include "base/progress.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/text.hpp"

namespace precis {

Progress::Progress(Log& log, std::string what, std::int64_t first_step, std::int64_t total_steps,
                   double plain_seconds, std::string unit)
    : log_(log),
      what_(std::move(what)),
      first_step_(first_step),
      total_steps_(total_steps),
      plain_seconds_(plain_seconds),
      unit_(std::move(unit)) {}

Progress::~Progress() { log_.clear_live_line(); }

void Progress::report(std::int64_t step, const ProgressNumbers& numbers) {
  constexpr double live_seconds = 0.1;
  const bool live = log_.has_live_line();
  const bool last = step == total_steps_;
  if (any_line_ && !last && since_line_.seconds() < (live ? live_seconds : plain_seconds_)) {
    return;
  }
  any_line_ = true;
  since_line_.restart();
  const std::string text = line(step, numbers, since_start_.seconds());
  if (live && !last) {
    log_.show_live_line(text);
  } else {
    log_.clear_live_line();
    log_.info("{}", text);
  }
}

std::string Progress::line(std::int64_t step, const ProgressNumbers& numbers,
                           double elapsed_seconds) const {
  std::string text = fmt::format("{}  {} {}", what_, unit_, with_thousands(step));
  if (total_steps_ > 0) {
    text += "/" + with_thousands(total_steps_);
  }
  // What a narrow terminal cuts off is at the end.
  const std::int64_t done = step - first_step_;
  if (total_steps_ > step && done > 0) {
    const double left =
        elapsed_seconds / static_cast<double>(done) * static_cast<double>(total_steps_ - step);
    text += fmt::format("  {} left", duration_text(left));
  }
  for (const ProgressNumbers::Value& number : numbers.values) {
    if (std::isfinite(number.value)) {
      text += number.percent
                  ? fmt::format("  {} {:.0f}%", number.name, 100 * number.value)
                  : fmt::format("  {} {:.{}f}", number.name, number.value, number.decimals);
    }
  }
  if (numbers.tokens_per_second > 0) {
    text += fmt::format("  {} tokens/s", with_thousands(std::llround(numbers.tokens_per_second)));
  }
  return text;
}

}  // namespace precis
