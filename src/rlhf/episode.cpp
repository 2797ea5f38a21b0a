#include "rlhf/episode.hpp"

#include <utility>

#include "rlhf/message_bytes.hpp"

namespace precis {

Bytes pack(const Episode& episode) {
  ToBytes to;
  visit_episode(episode, to);
  return std::move(to.bytes);
}

void unpack(std::span<const std::byte>& bytes, Episode& episode) {
  FromBytes from{bytes};
  visit_episode(episode, from);
}

}  // namespace precis
