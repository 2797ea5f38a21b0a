#include "commands/row_output.hpp"

#include "parallel/collectively.hpp"

namespace precis {

RowOutput::RowOutput(MpiCommunicator& world, const std::string& path) : world_(world) {
  collectively(world_, [&] {
    if (world_.rank() == 0) {
      file_.emplace(path);
    }
  });
}

void RowOutput::finish(const std::vector<std::string>& mine) {
  std::string text;
  for (const std::string& line : mine) {
    text += line + "\n";
  }
  const auto parts = world_.all_gather(std::as_bytes(std::span(text)));
  collectively(world_, [&] {
    if (!file_) {
      return;
    }
    for (const Bytes& part : parts) {
      file_->write({reinterpret_cast<const char*>(part.data()), part.size()});
    }
    file_->commit();
  });
}

}  // namespace precis
