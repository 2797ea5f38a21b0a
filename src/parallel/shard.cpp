#include "parallel/shard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"

namespace precis {

namespace {

std::int64_t product(const Extents& extents) {
  std::int64_t result = 1;
  for (const std::int64_t extent : extents) {
    result *= extent;
  }
  return result;
}

void require_same_tensor(const Shard& a, const Shard& b) {
  require(a.global_shape == b.global_shape,
          "Two shards are of different tensors: {} and {}; their global shapes must be equal.",
          to_string(a), to_string(b));
}

}  // namespace

std::int64_t Shard::numel() const { return product(extent); }

std::int64_t Shard::global_numel() const { return product(global_shape); }

bool Shard::is_whole() const { return extent == global_shape; }

bool Shard::contains(const Shard& other) const {
  require_same_tensor(*this, other);
  for (std::size_t axis = 0; axis < extent.size(); ++axis) {
    if (other.offset[axis] < offset[axis] ||
        other.offset[axis] + other.extent[axis] > offset[axis] + extent[axis]) {
      return false;
    }
  }
  return true;
}

Shard whole(Extents shape) {
  Shard shard{.global_shape = shape, .offset = Extents(shape.size(), 0), .extent = shape};
  require_valid(shard);
  return shard;
}

Shard split(const Shard& shard, int axis, int part, int parts) {
  require(axis >= 0 && static_cast<std::size_t>(axis) < shard.extent.size(),
          "The shard {} has no axis {} to split.", to_string(shard), axis);
  require(parts > 0 && part >= 0 && part < parts,
          "Part {} of {} was asked for; parts are numbered from 0.", part, parts);
  const auto a = static_cast<std::size_t>(axis);
  const std::int64_t base = shard.extent[a] / parts;
  const std::int64_t longer = shard.extent[a] % parts;
  Shard result = shard;
  result.offset[a] += part * base + std::min<std::int64_t>(part, longer);
  result.extent[a] = base + (part < longer ? 1 : 0);
  return result;
}

std::optional<Shard> intersect(const Shard& a, const Shard& b) {
  require_same_tensor(a, b);
  Shard common = a;
  for (std::size_t axis = 0; axis < a.extent.size(); ++axis) {
    const std::int64_t begin = std::max(a.offset[axis], b.offset[axis]);
    const std::int64_t end =
        std::min(a.offset[axis] + a.extent[axis], b.offset[axis] + b.extent[axis]);
    if (end <= begin) {
      return std::nullopt;
    }
    common.offset[axis] = begin;
    common.extent[axis] = end - begin;
  }
  return common;
}

void require_valid(const Shard& shard) {
  const std::size_t axes = shard.global_shape.size();
  bool valid = shard.offset.size() == axes && shard.extent.size() == axes && shard.replica >= 0;
  for (std::size_t axis = 0; valid && axis < axes; ++axis) {
    valid = shard.offset[axis] >= 0 && shard.extent[axis] >= 0 &&
            shard.extent[axis] <= shard.global_shape[axis] - shard.offset[axis];
  }
  require(valid, "The shard with offset ({}) and extent ({}) is not a box inside the shape ({}).",
          fmt::join(shard.offset, ", "), fmt::join(shard.extent, ", "),
          fmt::join(shard.global_shape, ", "));
}

std::string to_string(const Shard& shard) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shard.extent.size(); ++axis) {
    text += fmt::format("{}{}:{}", axis == 0 ? "" : ", ", shard.offset[axis],
                        shard.offset[axis] + shard.extent[axis]);
  }
  return fmt::format("{}] of ({})", text, fmt::join(shard.global_shape, ", "));
}

}  // namespace precis
