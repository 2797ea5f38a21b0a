#include "rlhf/experience.hpp"

#include <utility>

#include "rlhf/message_bytes.hpp"

namespace precis {
namespace {

template <class AnExperience, class Visitor>
void visit_experience(AnExperience& e, Visitor& field) {
  visit_episode(e.episode, field);
  field(e.policy_logprobs);
  field(e.logprobs);
  field(e.reference_logprobs);
  field(e.values);
  field(e.entropies);
  field(e.exact_kls);
  field(e.score);
  field(e.rewards);
  field(e.advantages);
  field(e.returns);
}

}  // namespace

Bytes pack(const Experience& experience) {
  ToBytes to;
  visit_experience(experience, to);
  return std::move(to.bytes);
}

void unpack(std::span<const std::byte>& bytes, Experience& experience) {
  FromBytes from{bytes};
  visit_experience(experience, from);
}

std::vector<Experience> whole_batch(RankGroup& ranks, std::span<const Experience> mine) {
  Bytes message;
  for (const Experience& experience : mine) {
    const Bytes packed = pack(experience);
    message.insert(message.end(), packed.begin(), packed.end());
  }
  std::vector<Experience> batch;
  for (const Bytes& part : ranks.all_gather(message)) {
    std::span<const std::byte> rest(part);
    while (!rest.empty()) {
      unpack(rest, batch.emplace_back());
    }
  }
  return batch;
}

}  // namespace precis
