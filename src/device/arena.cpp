#include "device/arena.hpp"

#include <utility>

namespace precis {

Workspace& Arena::slot(int slot) {
  while (slots_.size() <= static_cast<std::size_t>(slot)) {
    slots_.push_back(std::make_unique<Workspace>(*device_));
  }
  return *slots_[static_cast<std::size_t>(slot)];
}

std::int64_t Arena::bytes() const {
  std::int64_t bytes = backward_.bytes();
  for (const auto& slot : slots_) {
    bytes += slot->bytes();
  }
  return bytes;
}

std::shared_ptr<Arena> shared_or_own(std::shared_ptr<Arena> arena, Device& device) {
  return arena != nullptr ? std::move(arena) : std::make_shared<Arena>(device);
}

}  // namespace precis
