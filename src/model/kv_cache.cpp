#include "model/kv_cache.hpp"

#include <algorithm>
#include <cassert>

#include "base/error.hpp"

namespace precis {

KvCache::KvCache(Device& device, const ModelConfig& config, std::int64_t blocks,
                 const ModelPlace& place)
    : device_(&device),
      layers_(std::min(place.layers.last, config.layers) - place.layers.first),
      references_(static_cast<std::size_t>(blocks), 0) {
  const std::int64_t kv_heads = place.share(config).heads.kv.size();
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    keys_.push_back(device.zeros({blocks, kv_heads, config.head_dim, attention_block},
                                 device.precision(), MemoryUse::key_value_cache));
    values_.push_back(device.zeros({blocks, kv_heads, attention_block, config.head_dim},
                                   device.precision(), MemoryUse::key_value_cache));
  }
  for (std::int64_t block = blocks; block-- > 0;) {
    free_.push_back(static_cast<std::int32_t>(block));
  }
}

std::int64_t KvCache::blocks_for(std::int64_t tokens) {
  return (tokens + attention_block - 1) / attention_block;
}

const KvCache::Sequence& KvCache::at(int sequence) const {
  assert(sequence >= 0 && static_cast<std::size_t>(sequence) < sequences_.size());
  assert(sequences_[static_cast<std::size_t>(sequence)].live);
  return sequences_[static_cast<std::size_t>(sequence)];
}

int KvCache::create() {
  const auto place = std::find_if(sequences_.begin(), sequences_.end(),
                                  [](const Sequence& sequence) { return !sequence.live; });
  const auto number = place - sequences_.begin();
  if (place == sequences_.end()) {
    sequences_.emplace_back();
  }
  sequences_[static_cast<std::size_t>(number)] = {.blocks = {}, .length = 0, .live = true};
  return static_cast<int>(number);
}

int KvCache::fork(int sequence) {
  const int copy = create();
  sequences_[static_cast<std::size_t>(copy)] = at(sequence);
  for (const std::int32_t block : at(sequence).blocks) {
    ++references_[static_cast<std::size_t>(block)];
  }
  return copy;
}

void KvCache::release(int sequence) {
  for (const std::int32_t block : at(sequence).blocks) {
    if (--references_[static_cast<std::size_t>(block)] == 0) {
      free_.push_back(block);
    }
  }
  sequences_[static_cast<std::size_t>(sequence)] = {};
}

std::int32_t KvCache::take_block() {
  require(!free_.empty(), "The KV cache's {} blocks of {} tokens are all in use.", blocks(),
          attention_block);
  const std::int32_t block = free_.back();
  free_.pop_back();
  references_[static_cast<std::size_t>(block)] = 1;
  return block;
}

void KvCache::copy_block(std::int32_t from, std::int32_t to) {
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    device_->backend().kv_copy_block(device_->queue(), keys(layer), values(layer), from, to);
  }
}

void KvCache::append(int sequence, std::int64_t tokens) {
  (void)at(sequence);
  Sequence& state = sequences_[static_cast<std::size_t>(sequence)];
  for (std::int64_t i = 0; i < tokens; ++i) {
    const auto block = static_cast<std::size_t>(state.length / attention_block);
    if (block == state.blocks.size()) {
      state.blocks.push_back(take_block());
    } else if (std::int32_t& mine = state.blocks[block];
               references_[static_cast<std::size_t>(mine)] > 1) {
      const std::int32_t copy = take_block();
      copy_block(mine, copy);
      --references_[static_cast<std::size_t>(mine)];
      mine = copy;
    }
    ++state.length;
  }
}

std::int32_t KvCache::slot(int sequence, std::int64_t position) const {
  assert(position >= 0 && position < length(sequence));
  const std::int32_t block =
      at(sequence).blocks[static_cast<std::size_t>(position / attention_block)];
  return static_cast<std::int32_t>(block * attention_block + position % attention_block);
}

std::vector<std::int32_t> KvCache::tables(std::span<const int> sequences,
                                          std::int64_t width) const {
  std::vector<std::int32_t> tables(sequences.size() * static_cast<std::size_t>(width), 0);
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const auto& blocks = at(sequences[b]).blocks;
    require(std::ssize(blocks) <= width, "A sequence has {} blocks, its table {} places.",
            blocks.size(), width);
    std::copy(blocks.begin(), blocks.end(),
              tables.begin() + static_cast<std::ptrdiff_t>(b) * width);
  }
  return tables;
}

View KvCache::keys(std::int64_t layer) { return keys_[static_cast<std::size_t>(layer)].view(); }
View KvCache::values(std::int64_t layer) { return values_[static_cast<std::size_t>(layer)].view(); }

}  // namespace precis
