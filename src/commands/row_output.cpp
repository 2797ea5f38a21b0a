#include "commands/row_output.hpp"

#include "parallel/collectively.hpp"

namespace precis {
namespace {

/// Bounds what a rank holds of another's lines; below it a line is not cut.
constexpr std::size_t piece_bytes = std::size_t{16} << 20;

}  // namespace

RowOutput::RowOutput(RankGroup& world, const std::string& path) : world_(world) {
  collectively(world_, [&] {
    if (world_.rank() == 0) {
      file_.emplace(path);
    }
  });
}

void RowOutput::finish(const std::vector<std::string>& mine) {
  for (int rank = 0; rank < world_.size(); ++rank) {
    auto line = mine.begin();
    while (true) {
      std::string piece;
      for (; rank == world_.rank() && line != mine.end() && piece.size() < piece_bytes; ++line) {
        piece += *line + "\n";
      }
      piece = world_.broadcast_text(piece, rank);
      if (piece.empty()) {
        break;
      }
      collectively(world_, [&] {
        if (file_) {
          file_->write(piece);
        }
      });
    }
  }
  collectively(world_, [&] {
    if (file_) {
      file_->commit();
    }
  });
}

}  // namespace precis
