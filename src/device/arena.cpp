#include "device/arena.hpp"

#include <utility>

#include "base/error.hpp"

namespace precis {

Workspace& Arena::slot(int slot) { return numbered(slots_, slot); }

Workspace& Arena::deferred(int number) { return numbered(deferred_, number); }

Workspace& Arena::numbered(std::vector<std::unique_ptr<Workspace>>& all, int number) {
  require(number >= 0, "A workspace with the number {} was asked for.", number);
  while (all.size() <= static_cast<std::size_t>(number)) {
    all.push_back(std::make_unique<Workspace>(*device_));
  }
  return *all[static_cast<std::size_t>(number)];
}

std::int64_t Arena::bytes() const {
  std::int64_t bytes = backward_.bytes() + recomputed_.bytes() + gathered_.bytes();
  for (const auto* const all : {&slots_, &deferred_}) {
    for (const auto& workspace : *all) {
      bytes += workspace->bytes();
    }
  }
  return bytes;
}

std::shared_ptr<Arena> shared_or_own(std::shared_ptr<Arena> arena, Device& device) {
  return arena != nullptr ? std::move(arena) : std::make_shared<Arena>(device);
}

}  // namespace precis
