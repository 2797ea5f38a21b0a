#include "model/weight_digest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "io/digest.hpp"

namespace precis {
namespace {

using Holders = std::map<std::uint64_t, std::vector<std::string>>;  // by digest

/// Who has what; of a digest that more have than any other, only those who differ from it.
std::string disagreement(const Holders& holders) {
  const auto* most = &*holders.begin();
  bool alone = true;
  for (const auto& of_digest : holders) {
    if (of_digest.second.size() > most->second.size()) {
      most = &of_digest;
      alone = true;
    } else if (&of_digest != most && of_digest.second.size() == most->second.size()) {
      alone = false;
    }
  }
  std::vector<std::string> parts;
  for (const auto& [digest, names] : holders) {
    if (!alone || digest != most->first) {
      parts.push_back(fmt::format("{} {} {:016x}", fmt::join(names, ", "),
                                  names.size() == 1 ? "has" : "have", digest));
    }
  }
  return fmt::format(
      "{}{}", fmt::join(parts, "; "),
      alone ? fmt::format("; the others ({}) have {:016x}", most->second.size(), most->first) : "");
}

}  // namespace

std::vector<std::uint64_t> box_digests(Device& device, const Parameters& parameters) {
  // So little is copied at a time.
  constexpr std::int64_t most = std::int64_t{1} << 20;
  std::vector<std::uint64_t> digests;
  for (int i = 0; i < static_cast<int>(parameters.specs().size()); ++i) {
    const ConstView tensor = parameters.at(i);
    Shard rows = parameters.specs()[static_cast<std::size_t>(i)].shard;
    const std::int64_t first = rows.offset[0];
    const std::int64_t at_once = std::max<std::int64_t>(1, most / tensor.shape().row_numel());
    std::uint64_t sum = 0;
    for (std::int64_t begin = 0; begin < tensor.extent(0); begin += at_once) {
      const ConstView part = tensor.rows(begin, std::min(begin + at_once, tensor.extent(0)));
      const auto values = device.to_host<float>(part);
      rows.offset[0] = first + begin;
      rows.extent[0] = part.extent(0);
      sum += digest_shard(view_of(values.data(), part.shape()), rows);
    }
    digests.push_back(sum);
  }
  return digests;
}

std::string difference(std::span<const DigestedWeights> all) {
  std::map<std::tuple<std::string, Extents, Extents>, Holders> boxes;
  std::map<std::string, std::map<int, std::uint64_t>> tensors;  // by copy
  std::map<int, std::vector<std::string>> members;              // of each copy
  for (const DigestedWeights& rank : all) {
    members[rank.copy].push_back(rank.holder);
    for (std::size_t i = 0; i < rank.specs.size(); ++i) {
      const auto& [name, shard] = rank.specs[i];
      boxes[{name, shard.offset, shard.extent}][rank.digests[i]].push_back(rank.holder);
      tensors[name][rank.copy] += shard.replica == 0 ? rank.digests[i] : 0;
    }
  }
  for (const auto& [box, holders] : boxes) {
    if (holders.size() > 1) {
      const auto& [name, offset, extent] = box;
      std::vector<std::string> ranges;
      for (std::size_t axis = 0; axis < offset.size(); ++axis) {
        ranges.push_back(fmt::format("{}:{}", offset[axis], offset[axis] + extent[axis]));
      }
      return fmt::format("{}[{}]: {}", name, fmt::join(ranges, ", "), disagreement(holders));
    }
  }
  for (const auto& [name, copies] : tensors) {
    Holders holders;
    for (const auto& [copy, digest] : copies) {
      holders[digest].push_back(fmt::format("the copy on {}", fmt::join(members[copy], ", ")));
    }
    if (holders.size() > 1) {
      return fmt::format("{}: {}", name, disagreement(holders));
    }
  }
  return "";
}

std::uint64_t model_digest(std::span<const DigestedWeights> all) {
  std::uint64_t sum = 0;
  for (const DigestedWeights& rank : all) {
    for (std::size_t i = 0; rank.copy == all.front().copy && i < rank.specs.size(); ++i) {
      if (rank.specs[i].shard.replica == 0) {
        // Odd, so that no difference of a tensor is lost.
        sum += (digest(rank.specs[i].name) | 1U) * rank.digests[i];
      }
    }
  }
  return sum;
}

}  // namespace precis
