#include "model/owned_rows.hpp"

#include <algorithm>

namespace precis {
namespace {

/// A bucket is closed once it has so large a part of the model, or so many elements.
constexpr std::int64_t buckets_of_a_model = 16;
constexpr std::int64_t most_elements = std::int64_t{4} << 20;

std::int64_t row_length(const ParameterSpec& spec) {
  const std::int64_t rows = spec.shard.extent.front();
  return rows == 0 ? 1 : spec.shard.numel() / rows;
}

/// The beginning of a row that is nearest to a place in the flat buffer.
std::int64_t nearest_row(const std::vector<ParameterSpec>& specs,
                         const std::vector<std::int64_t>& offsets, std::int64_t place) {
  const auto after = std::ranges::upper_bound(offsets, place);
  const auto tensor = static_cast<std::size_t>(after - offsets.begin()) - 1;
  if (tensor == specs.size()) {
    return offsets.back();
  }
  const std::int64_t length = row_length(specs[tensor]);
  const std::int64_t row = (place - offsets[tensor] + length / 2) / length;
  return row < specs[tensor].shard.extent.front() ? offsets[tensor] + row * length
                                                  : offsets[tensor + 1];
}

}  // namespace

std::vector<Bucket> buckets_of(const std::vector<ParameterSpec>& specs, int ranks) {
  const std::vector<std::int64_t> offsets = flat_offsets(specs);
  const std::int64_t enough = std::min(offsets.back() / buckets_of_a_model, most_elements);
  std::vector<Bucket> buckets;
  for (std::size_t first = 0; first < specs.size();) {
    std::size_t end = first + 1;
    while (end < specs.size() && offsets[end] - offsets[first] < enough) {
      ++end;
    }
    Bucket& bucket = buckets.emplace_back(Bucket{.first = static_cast<int>(first), .bounds = {}});
    const std::int64_t size = offsets[end] - offsets[first];
    for (std::int64_t rank = 0; rank <= ranks; ++rank) {
      bucket.bounds.push_back(nearest_row(specs, offsets, offsets[first] + size * rank / ranks));
    }
    first = end;
  }
  return buckets;
}

std::vector<ParameterSpec> owned_specs(const std::vector<ParameterSpec>& specs, int rank,
                                       int ranks) {
  const std::vector<std::int64_t> offsets = flat_offsets(specs);
  const std::vector<Bucket> buckets = buckets_of(specs, ranks);
  std::vector<ParameterSpec> owned;
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    const auto r = static_cast<std::size_t>(rank);
    const auto first = static_cast<std::size_t>(buckets[b].first);
    const auto end =
        b + 1 < buckets.size() ? static_cast<std::size_t>(buckets[b + 1].first) : specs.size();
    for (std::size_t i = first; i < end; ++i) {
      const std::int64_t length = row_length(specs[i]);
      const auto row_of = [&](std::int64_t place) {
        return std::clamp<std::int64_t>((place - offsets[i]) / length, 0,
                                        specs[i].shard.extent.front());
      };
      const std::int64_t begin = row_of(buckets[b].bounds[r]);
      const std::int64_t rows = row_of(buckets[b].bounds[r + 1]) - begin;
      if (rows > 0) {
        ParameterSpec& spec = owned.emplace_back(specs[i]);
        spec.shard.offset.front() += begin;
        spec.shard.extent.front() = rows;
      }
    }
  }
  return owned;
}

}  // namespace precis
