#include "model/generator.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace precis {

Generator::Generator(Device& device, const ModelConfig& config, const Parameters& layout)
    : device_(&device), stage_(device, config, layout), head_(device, layout), workspace_(device) {}

void Generator::run(const Parameters& parameters, std::span<const Prompt> prompts,
                    const GenerationRule& rule, const std::function<void(Generated&&)>& finished,
                    const std::function<void()>& between_steps) {
  if (!prompts.empty()) {
    reserve(prompts, rule);
  }
  std::size_t next = 0;
  while (next < prompts.size() || !live_.empty()) {
    next = admit(parameters, prompts, next, rule, finished);
    between_steps();
    if (live_.empty()) {
      continue;
    }
    workspace_.reset();
    std::vector<std::int32_t> tokens;
    std::vector<int> sequences;
    std::vector<Live*> all;
    for (const auto& live : live_) {
      tokens.push_back(live->result.response.back());
      sequences.push_back(live->cache_sequence);
      all.push_back(live.get());
    }
    const ConstView hidden = stage_.decode(parameters, workspace_, tokens, *cache_, sequences);
    sample(parameters, hidden, all, rule);
    retire(rule, finished);
  }
}

void Generator::reserve(std::span<const Prompt> prompts, const GenerationRule& rule) {
  const ModelConfig& config = stage_.config();
  std::int64_t longest = 0;
  std::int64_t episodes = 0;
  std::int64_t most_of_a_prompt = 0;
  for (const Prompt& prompt : prompts) {
    const auto length = static_cast<std::int64_t>(prompt.tokens.size());
    require(length > 0, "A prompt without tokens cannot be continued.");
    require(length + rule.max_new_tokens <= config.context,
            "A prompt of {} tokens and {} new tokens do not fit the model's context of {} tokens.",
            length, rule.max_new_tokens, config.context);
    longest = std::max(longest, length);
    const auto of_prompt = static_cast<std::int64_t>(prompt.episodes.size());
    episodes += of_prompt;
    most_of_a_prompt = std::max(most_of_a_prompt, of_prompt);
  }
  const std::int64_t sequences = std::max(std::min(rule.max_sequences, episodes), most_of_a_prompt);
  // A fork may copy one block of its prompt before it releases its share of it.
  const std::int64_t blocks_per_sequence = KvCache::blocks_for(longest + rule.max_new_tokens) + 1;
  const std::int64_t blocks = blocks_per_sequence * (sequences + 1);
  if (!cache_ || cache_->blocks() < blocks) {
    cache_.reset();
    cache_ = std::make_unique<KvCache>(*device_, config, blocks);
  }
}

std::size_t Generator::admit(const Parameters& parameters, std::span<const Prompt> prompts,
                             std::size_t next, const GenerationRule& rule,
                             const std::function<void(Generated&&)>& finished) {
  const std::size_t first = next;
  PackedBatch batch;
  auto places = rule.max_sequences - static_cast<std::int64_t>(live_.size());
  // A prompt with more samples than there are places ever will be is taken in when all are free.
  while (next < prompts.size()) {
    const Prompt& prompt = prompts[next];
    const auto wanted = static_cast<std::int64_t>(prompt.episodes.size());
    const bool alone = live_.empty() && next == first;
    const bool in_budget =
        batch.size() + static_cast<std::int64_t>(prompt.tokens.size()) <= rule.prefill_tokens;
    if (!alone && (wanted > places || !in_budget)) {
      break;
    }
    batch.append(prompt.tokens);
    places -= wanted;
    ++next;
  }
  if (next == first) {
    return next;
  }

  workspace_.reset();
  std::vector<int> sequences(next - first);
  for (int& sequence : sequences) {
    sequence = cache_->create();
  }
  const ConstView hidden = stage_.prefill(parameters, workspace_, batch, *cache_, sequences);

  // Every sample of a prompt starts from the prompt's last hidden state.
  std::vector<std::int32_t> last;
  std::vector<Live*> admitted;
  for (std::size_t p = first; p < next; ++p) {
    const std::size_t b = p - first;
    for (const std::int64_t episode : prompts[p].episodes) {
      auto live = std::make_unique<Live>();
      live->cache_sequence = cache_->fork(sequences[b]);
      live->result.episode = episode;
      last.push_back(batch.offsets[b + 1] - 1);
      admitted.push_back(live.get());
      live_.push_back(std::move(live));
    }
    cache_->release(sequences[b]);
  }
  if (!admitted.empty()) {
    View rows =
        workspace_.take({static_cast<std::int64_t>(last.size()), hidden.extent(1)}, hidden.dtype());
    device_->backend().gather_rows(device_->queue(), rows, hidden, workspace_.upload(last));
    sample(parameters, rows, admitted, rule);
    retire(rule, finished);
  }
  return next;
}

void Generator::sample(const Parameters& parameters, ConstView hidden, std::span<Live*> of,
                       const GenerationRule& rule) {
  const auto count = static_cast<std::int64_t>(of.size());
  std::vector<std::int64_t> episodes;
  std::vector<std::int32_t> positions;
  for (const Live* live : of) {
    episodes.push_back(live->result.episode);
    positions.push_back(static_cast<std::int32_t>(live->result.response.size()));
  }
  const ConstView logits = head_.logits(parameters, workspace_, hidden);  // (B,V)
  View tokens = workspace_.take({count}, DType::i32);
  View logprobs = workspace_.take({count});
  device_->backend().sample(device_->queue(), tokens, logprobs, logits, workspace_.upload(episodes),
                            workspace_.upload(positions), rule.sampling);
  const auto host_tokens = device_->to_host<std::int32_t>(tokens);
  const auto host_logprobs = device_->to_host<float>(logprobs);
  for (std::size_t b = 0; b < of.size(); ++b) {
    Generated& result = of[b]->result;
    result.response.push_back(host_tokens[b]);
    result.logprobs.push_back(host_logprobs[b]);
    result.ended = stage_.config().ends_with(host_tokens[b]);
  }
}

void Generator::retire(const GenerationRule& rule,
                       const std::function<void(Generated&&)>& finished) {
  std::erase_if(live_, [&](const std::unique_ptr<Live>& live) {
    Generated& result = live->result;
    if (!result.ended && static_cast<std::int64_t>(result.response.size()) < rule.max_new_tokens) {
      return false;
    }
    cache_->release(live->cache_sequence);
    finished(std::move(result));
    return true;
  });
}

}  // namespace precis
