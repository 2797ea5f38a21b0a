#include "train/memory_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.hpp"
#include "kernels/memory_names.hpp"

namespace precis {
namespace {

std::string text_of(std::int64_t bytes) {
  return bytes == 0 ? "-" : byte_size(static_cast<std::uint64_t>(bytes));
}

/// What one rank tells the others.
struct RankMemory {
  PlannedMemory planned;
  std::string host;
  Memory::Space space;
  std::int64_t held = 0;
};

std::vector<RankMemory> gather(MpiSession& mpi, const Memory& memory, const PlannedMemory& mine) {
  const Memory::Space space = memory.space();
  const std::string text = nlohmann::json{{"role", mine.role},    {"bytes", mine.peak.bytes},
                                          {"host", mpi.host()},   {"free", space.free},
                                          {"total", space.total}, {"held", memory.held().total()}}
                               .dump();
  std::vector<RankMemory> ranks;
  for (const Bytes& bytes : mpi.world().all_gather(std::as_bytes(std::span(text)))) {
    const auto told = nlohmann::json::parse(
        std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    ranks.push_back({.planned = {told["role"], {told["bytes"]}},
                     .host = told["host"],
                     .space = {told["free"], told["total"]},
                     .held = told["held"]});
  }
  return ranks;
}

/// Ranks of one role that hold memory for the same uses: they differ by their rows only.
struct Kind {
  std::vector<std::size_t> ranks;
  MemoryCount most;  // of the rank that holds the most
};

std::vector<Kind> kinds_of(const std::vector<RankMemory>& ranks) {
  std::map<std::pair<std::string, std::vector<bool>>, std::size_t> places;
  std::vector<Kind> kinds;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const PlannedMemory& planned = ranks[rank].planned;
    std::vector<bool> used;
    for (const std::int64_t bytes : planned.peak.bytes) {
      used.push_back(bytes > 0);
    }
    const auto [place, is_new] = places.try_emplace({planned.role, used}, kinds.size());
    if (is_new) {
      kinds.emplace_back();
    }
    Kind& kind = kinds[place->second];
    kind.ranks.push_back(rank);
    if (planned.peak.total() > kind.most.total()) {
      kind.most = planned.peak;
    }
  }
  return kinds;
}

/// "rank 3", "ranks 0-3", "ranks 0, 2, 5".
std::string name_of_ranks(const std::vector<std::size_t>& ranks) {
  if (ranks.size() == 1) {
    return fmt::format("rank {}", ranks.front());
  }
  if (ranks.back() - ranks.front() + 1 == ranks.size()) {
    return fmt::format("ranks {}-{}", ranks.front(), ranks.back());
  }
  return fmt::format("ranks {}", fmt::join(ranks, ", "));
}

std::string table_of(const std::vector<RankMemory>& ranks) {
  const std::vector<Kind> kinds = kinds_of(ranks);
  constexpr std::size_t first_column = 18;
  std::vector<std::string> heads;
  for (const Kind& kind : kinds) {
    heads.push_back(
        fmt::format("{} ({})", name_of_ranks(kind.ranks), ranks[kind.ranks.front()].planned.role));
  }
  const auto line = [&](std::string_view name, auto&& cell) {
    std::string text = fmt::format("  {:<{}}", name, first_column);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      text += fmt::format("  {:>{}}", cell(i), std::max<std::size_t>(heads[i].size(), 10));
    }
    return text + "\n";
  };
  std::string text = line("of a rank", [&](std::size_t i) { return heads[i]; });
  for (std::size_t use = 0; use < memory_uses; ++use) {
    if (std::ranges::any_of(kinds, [&](const Kind& kind) { return kind.most.bytes[use] > 0; })) {
      text += line(name_of(static_cast<MemoryUse>(use)),
                   [&](std::size_t i) { return text_of(kinds[i].most.bytes[use]); });
    }
  }
  return text + line("together", [&](std::size_t i) { return text_of(kinds[i].most.total()); });
}

/// What the ranks of one host need together, and what the host has.
struct HostPlan {
  std::int64_t ranks = 0;
  std::int64_t needed = 0;
  std::int64_t held = 0;
  Memory::Space space;
};

}  // namespace

MemoryReport report_memory(MpiSession& mpi, const Memory& memory, const PlannedMemory& mine) {
  const std::vector<RankMemory> ranks = gather(mpi, memory, mine);
  std::map<std::string, HostPlan> hosts;
  for (const RankMemory& rank : ranks) {
    HostPlan& host = hosts[rank.host];
    ++host.ranks;
    host.needed += rank.planned.peak.total();
    host.held += rank.held;
    host.space = rank.space;
  }
  MemoryReport report{
      .text = "memory      at its peak, in tensors; rows, messages and the program come on top\n" +
              table_of(ranks),
      .shortage = {}};
  for (const auto& [name, host] : hosts) {
    const std::int64_t available = host.space.free + host.held;
    report.text += fmt::format("            {} for {} on {}; {} of its {} of {} are free\n",
                               text_of(host.needed), counted(host.ranks, "rank"), name,
                               text_of(available), text_of(host.space.total), memory.name());
    if (host.needed > available) {
      report.shortage += fmt::format(
          "{}The run would need {} of {} on {}, where {} are available. Use a smaller "
          "micro-batch (train.micro_batch_tokens), fewer ranks on a host, or a smaller model.",
          report.shortage.empty() ? "" : " ", text_of(host.needed), memory.name(), name,
          text_of(available));
    }
  }
  return report;
}

}  // namespace precis
