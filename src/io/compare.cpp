#include "io/compare.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"

namespace precis {

namespace {

/// The effective deck names threads, folders and times, which may differ between equal files.
bool is_compared(const DatasetInfo& info) { return info.path != "deck"; }

std::vector<DatasetInfo> compared_datasets(const StateReader& file) {
  std::vector<DatasetInfo> result = file.datasets();
  std::erase_if(result, [](const DatasetInfo& info) { return !is_compared(info); });
  return result;
}

std::uint64_t digest_of(const StateReader& file, const DatasetInfo& info) {
  return info.digest ? *info.digest : file.compute_digest(info.path);
}

/// "in step, seed" for two JSON objects that differ in these keys, else "".
std::string differing_keys(const std::string& a, const std::string& b) {
  const auto left = nlohmann::json::parse(a, nullptr, false);
  const auto right = nlohmann::json::parse(b, nullptr, false);
  if (!left.is_object() || !right.is_object()) {
    return "";
  }
  std::set<std::string> keys;
  for (const auto& [key, value] : left.items()) {
    if (!right.contains(key) || right[key] != value) {
      keys.insert(key);
    }
  }
  for (const auto& [key, value] : right.items()) {
    if (!left.contains(key)) {
      keys.insert(key);
    }
  }
  std::string text;
  for (const std::string& key : keys) {
    text += (text.empty() ? " in " : ", ") + key;
  }
  return text;
}

std::string differing_elements(const StateReader& a, const StateReader& b,
                               const DatasetInfo& info) {
  std::size_t count = 1;
  for (const std::int64_t extent : info.shape) {
    count *= static_cast<std::size_t>(extent);
  }
  std::vector<float> left(count);
  std::vector<float> right(count);
  a.tensor(info.path, view_of(left), whole(info.shape));
  b.tensor(info.path, view_of(right), whole(info.shape));
  std::size_t different = 0;
  double largest = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    // By their bits, as the digests are: 0 and -0 differ, a NaN is equal to itself.
    if (std::bit_cast<std::uint32_t>(left[i]) == std::bit_cast<std::uint32_t>(right[i])) {
      continue;
    }
    ++different;
    const double difference = std::abs(static_cast<double>(left[i]) - right[i]);
    largest = std::max(largest, std::isnan(difference) ? HUGE_VAL : difference);
  }
  return fmt::format(" in {} of {} elements, by {:.3g} at most", different, count, largest);
}

std::string describe(const DatasetInfo& info) {
  return fmt::format("{} {}", info.dtype, to_string(info.shape));
}

std::string describe_difference(const StateReader& a, const StateReader& b, const DatasetInfo& left,
                                const DatasetInfo& right) {
  if (left.dtype != right.dtype || left.shape != right.shape) {
    return fmt::format("{}: {} in the first, {} in the second", left.path, describe(left),
                       describe(right));
  }
  if (left.dtype == "text") {
    return fmt::format("{}: the texts differ{}", left.path,
                       differing_keys(a.text(left.path), b.text(left.path)));
  }
  return fmt::format("{}: the data differ{}", left.path,
                     left.dtype == "f32" ? differing_elements(a, b, left) : "");
}

}  // namespace

std::uint64_t content_digest(const StateReader& file) {
  std::string listing = file.format() + "\n";
  for (const DatasetInfo& info : compared_datasets(file)) {
    listing += fmt::format("{} {} {} {:016x}\n", info.path, info.dtype, to_string(info.shape),
                           digest_of(file, info));
  }
  return XXH3_64bits(listing.data(), listing.size());
}

std::vector<std::string> differences(const StateReader& a, const StateReader& b) {
  std::vector<std::string> lines;
  if (a.format() != b.format()) {
    lines.push_back(
        fmt::format("format: '{}' in the first, '{}' in the second", a.format(), b.format()));
  }
  std::map<std::string, DatasetInfo> others;
  for (DatasetInfo& info : compared_datasets(b)) {
    others.emplace(info.path, std::move(info));
  }
  for (const DatasetInfo& info : compared_datasets(a)) {
    const auto other = others.find(info.path);
    if (other == others.end()) {
      lines.push_back(fmt::format("{}: only in the first", info.path));
      continue;
    }
    if (info.dtype != other->second.dtype || info.shape != other->second.shape ||
        a.compute_digest(info.path) != b.compute_digest(info.path)) {
      lines.push_back(describe_difference(a, b, info, other->second));
    }
    others.erase(other);
  }
  for (const auto& [path, info] : others) {
    lines.push_back(fmt::format("{}: only in the second", path));
  }
  return lines;
}

}  // namespace precis
