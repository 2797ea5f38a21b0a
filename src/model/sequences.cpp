#include "model/sequences.hpp"

#include <cassert>

namespace precis {

TokenTargets response_targets(std::span<const Sequence> sequences) {
  TokenTargets out;
  std::int32_t row = 0;  // of the sequence's first token in pack_inputs
  for (const Sequence& sequence : sequences) {
    assert(!sequence.prompt.empty());
    const auto prompt = static_cast<std::int32_t>(sequence.prompt.size());
    for (std::size_t t = 0; t < sequence.response.size(); ++t) {
      out.positions.push_back(row + prompt + static_cast<std::int32_t>(t) - 1);
      out.targets.push_back(sequence.response[t]);
    }
    row += static_cast<std::int32_t>(sequence.size()) - 1;
  }
  return out;
}

PackedBatch pack_inputs(std::span<const Sequence> sequences) {
  PackedBatch batch;
  for (const Sequence& sequence : sequences) {
    if (sequence.response.empty()) {
      batch.append(sequence.prompt.first(sequence.prompt.size() - 1));
    } else {
      batch.append(sequence.prompt, sequence.response.first(sequence.response.size() - 1));
    }
  }
  return batch;
}

PackedBatch pack_whole(std::span<const Sequence> sequences) {
  PackedBatch batch;
  for (const Sequence& sequence : sequences) {
    batch.append(sequence.prompt, sequence.response);
  }
  return batch;
}

PackedBatch pack_for_responses(std::span<const Sequence> sequences) {
  PackedBatch batch = pack_inputs(sequences);
  batch.read = response_targets(sequences).positions;
  return batch;
}

PackedBatch pack_for_rewards(std::span<const Sequence> sequences) {
  PackedBatch batch = pack_whole(sequences);
  batch.read = batch.last_rows();
  return batch;
}

std::vector<std::int64_t> lengths_of(std::span<const Sequence> sequences) {
  std::vector<std::int64_t> lengths;
  for (const Sequence& sequence : sequences) {
    lengths.push_back(sequence.size());
  }
  return lengths;
}

std::vector<MicroBatch> split_sequences(std::span<const Sequence> sequences,
                                        std::int64_t micro_batch_tokens) {
  return split_micro_batches(lengths_of(sequences), micro_batch_tokens);
}

}  // namespace precis
