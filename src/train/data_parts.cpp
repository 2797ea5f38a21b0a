#include "train/data_parts.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <system_error>

#include "base/error.hpp"
#include "data/step_rows.hpp"

namespace precis {
namespace {

bool is_power_of_two(std::int64_t x) {
  return x > 0 && std::has_single_bit(static_cast<std::uint64_t>(x));
}

}  // namespace

std::pair<std::int64_t, std::int64_t> DataParts::rows_of(std::int64_t index,
                                                         std::int64_t rows) const {
  const std::int64_t part = first + index;
  if (!is_power_of_two(parts)) {
    return part_of(rows, part, parts);
  }
  std::int64_t begin = 0;
  std::int64_t end = rows;
  for (std::int64_t half = parts / 2; half > 0; half /= 2) {
    const std::int64_t middle = begin + (end - begin + 1) / 2;
    ((part & half) == 0 ? end : begin) = middle;
  }
  return {begin, end};
}

std::pair<std::int64_t, std::int64_t> DataParts::my_rows(std::int64_t rows) const {
  return {rows_of(0, rows).first, rows_of(mine() - 1, rows).second};
}

DataParts data_parts(std::int64_t exact_parts, int rank, int ranks) {
  const bool divided = exact_parts > 0 && exact_parts % ranks == 0;
  const std::int64_t parts = divided ? exact_parts : ranks;
  const std::int64_t each = parts / ranks;
  return {.parts = parts, .first = rank * each, .last = (rank + 1) * each};
}

std::int64_t default_data_parts(int ranks) {
  return is_power_of_two(ranks) && ranks <= most_data_parts ? ranks : 1;
}

std::int64_t default_tensor_parts(int ranks) {
  return std::max<std::int64_t>(8,
                                is_power_of_two(ranks) && ranks <= most_tensor_parts ? ranks : 1);
}

std::int64_t effective_parts(const std::string& key, std::int64_t given,
                             const std::optional<std::string>& of_the_run, std::int64_t otherwise,
                             std::int64_t most) {
  if (given == 0 && of_the_run) {
    std::int64_t former = 0;
    const char* const end = of_the_run->data() + of_the_run->size();
    const auto [read, error] = std::from_chars(of_the_run->data(), end, former);
    require(error == std::errc() && read == end && is_power_of_two(former) && former <= most,
            "The deck of the run so far says {} = {}; expected a power of two, at most {}. Has it "
            "been changed by hand?",
            key, *of_the_run, most);
    return former;
  }
  if (given == 0) {
    return otherwise;
  }
  if (!is_power_of_two(given)) {
    fail_usage("{} is {}; expected a power of two, such as {}.", key, given,
               std::bit_ceil(static_cast<std::uint64_t>(given)));
  }
  return given;
}

std::int64_t tensor_parts_of(std::int64_t given, int ranks) {
  return effective_parts("exact.tensor_parts", given, std::nullopt, default_tensor_parts(ranks),
                         most_tensor_parts);
}

}  // namespace precis
