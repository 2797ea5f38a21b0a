// An output file whose lines the ranks make and rank 0 writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/output_file.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// Rank 0 holds the file; nothing appears under its name before `finish`.
class RowOutput {
 public:
  /// Collective. Throws on all ranks if the file cannot be made.
  RowOutput(RankGroup& world, const std::string& path);

  /// Collective: writes every rank's lines, in the order of ranks, and gives the file its name.
  void finish(const std::vector<std::string>& mine);

 private:
  RankGroup& world_;
  std::optional<OutputFile> file_;
};

}  // namespace precis
