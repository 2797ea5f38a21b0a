#include "rlhf/episode.hpp"

#include <utility>

#include "rlhf/packer.hpp"

namespace precis {

Bytes pack(const Episode& episode) {
  Packer packer;
  visit_episode(episode, packer);
  return std::move(packer.bytes);
}

void unpack(std::span<const std::byte>& bytes, Episode& episode) {
  Unpacker unpacker{bytes};
  visit_episode(episode, unpacker);
}

}  // namespace precis
