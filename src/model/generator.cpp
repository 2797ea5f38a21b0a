#include "model/generator.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "model/memory_fit.hpp"

namespace precis {
namespace {

/// Decode steps between two looks at what was sampled, where looking makes the host wait.
constexpr std::int64_t steps_ahead = 8;

/// The size that repeated work for so many sequences is rounded up to: there are few of them.
std::int64_t padded_rows(std::int64_t sequences) {
  constexpr std::int64_t grain = 16;
  return sequences < grain
             ? static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(sequences)))
             : (sequences + grain - 1) / grain * grain;
}

bool is_complete(const Generated& result, const GenerationRule& rule) {
  return result.ended || std::ssize(result.response) >= rule.max_new_tokens;
}

}  // namespace

std::int64_t unpadded(const ModelConfig& config, std::int64_t tokenizer_vocabulary) {
  std::int64_t most = tokenizer_vocabulary;
  for (const std::int32_t end : config.end_tokens) {
    most = std::max(most, std::int64_t{end} + 1);
  }
  return most < config.vocabulary ? most : 0;
}

Generator::Generator(Device& device, const ModelConfig& config, const Parameters& layout,
                     std::shared_ptr<Arena> arena)
    : device_(&device),
      stage_(device, config, layout, std::move(arena)),
      head_(device, layout),
      workspace_(stage_.workspace(0)) {}

void Generator::run(const Parameters& parameters, std::span<const Prompt> prompts,
                    const GenerationRule& asked, const std::function<void(Generated&&)>& finished,
                    const std::function<void()>& between_steps) {
  GenerationRule rule = asked;
  if (rule.sampling.temperature < smallest_temperature) {
    rule.sampling.temperature = 0;
  }
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
    decode(parameters, rule);
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
    require(!prompt.episodes.empty(), "A prompt without episodes would take a place for nothing.");
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
  const std::int64_t blocks = blocks_per_sequence * (sequences + 1) + 1;
  if (!cache_ || cache_->blocks() < blocks) {
    cache_.reset();
    try {
      cache_ = std::make_unique<KvCache>(*device_, config, blocks);
    } catch (const OutOfMemory& error) {
      throw with_fitting_sequences(error, *device_, config, sequences, blocks_per_sequence);
    }
    padding_ = cache_->create();
    cache_->append(padding_, 1);
  }
  table_width_ = std::max(table_width_, blocks_per_sequence);
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

  batch.read = batch.last_rows();
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
      last.push_back(static_cast<std::int32_t>(b));
      admitted.push_back(live.get());
      live_.push_back(std::move(live));
    }
    cache_->release(sequences[b]);
  }
  const auto count = static_cast<std::int64_t>(admitted.size());
  View rows = workspace_.take({count, hidden.extent(1)}, hidden.dtype());
  device_->backend().gather_rows(device_->queue(), rows, hidden, workspace_.upload(last));
  std::vector<std::int64_t> episodes;
  for (const Live* live : admitted) {
    episodes.push_back(live->result.episode);
  }
  const std::vector<std::int32_t> positions(admitted.size(), 0);
  const Sampled sampled = take_sampled(1, count);
  sample(parameters, rows, workspace_.upload(episodes), workspace_.upload(positions), rule,
         {sampled.tokens.row(0), sampled.logprobs.row(0)});
  collect(sampled, admitted, rule);
  retire(rule, finished);
  return next;
}

void Generator::decode(const Parameters& parameters, const GenerationRule& rule) {
  std::vector<Live*> all;
  std::vector<int> sequences;
  std::vector<std::int64_t> left;
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> episodes;
  for (const auto& live : live_) {
    const Generated& result = live->result;
    all.push_back(live.get());
    sequences.push_back(live->cache_sequence);
    left.push_back(rule.max_new_tokens - std::ssize(result.response));
    tokens.push_back(result.response.back());
    episodes.push_back(result.episode);
  }
  const bool ahead = device_->backend().runs_ahead;
  const std::int64_t steps = std::min(ahead ? steps_ahead : 1, std::ranges::max(left));
  const auto rows =
      static_cast<std::size_t>(ahead ? padded_rows(std::ssize(all)) : std::ssize(all));
  sequences.resize(rows, padding_);
  left.resize(rows, 0);
  tokens.resize(rows, 0);
  episodes.resize(rows, 0);
  std::vector<std::int32_t> positions;
  for (std::int64_t step = 0; step < steps; ++step) {
    for (const std::int64_t of_row : left) {
      positions.push_back(static_cast<std::int32_t>(rule.max_new_tokens - of_row + step));
    }
  }

  workspace_.reset();
  const auto batch = static_cast<std::int64_t>(rows);
  const DecodePlan plan(workspace_, *cache_, sequences, left, steps, table_width_);
  const View first = workspace_.upload(tokens);
  const View of_episodes = workspace_.upload(episodes);
  const View at_positions = workspace_.upload(positions).reshaped({steps, batch});
  const Sampled sampled = take_sampled(steps, batch);
  // Always in the same order from the workspace's beginning: the same memory for the same sizes.
  // The prefill of this run has packed every weight anew that has changed.
  device_->backend().repeat(device_->queue(), recording(parameters, rule, steps, batch), [&] {
    ConstView last = first;
    for (std::int64_t step = 0; step < steps; ++step) {
      const WorkspaceScope scope(workspace_);
      const ConstView hidden = stage_.decode(parameters, workspace_, plan.at(step), last, *cache_);
      const Sampled of_step{sampled.tokens.row(step), sampled.logprobs.row(step)};
      sample(parameters, hidden, of_episodes, at_positions.row(step), rule, of_step);
      last = of_step.tokens;
    }
  });
  collect(sampled, all, rule);
}

Recording& Generator::recording(const Parameters& parameters, const GenerationRule& rule,
                                std::int64_t steps, std::int64_t rows) {
  const RecordedFor now{parameters.flat().bytes(), rule.sampling, table_width_};
  if (recorded_for_ != now) {
    recordings_.clear();
    recorded_for_ = now;
  }
  return recordings_[{steps, rows}];
}

Generator::Sampled Generator::take_sampled(std::int64_t steps, std::int64_t rows) {
  return {workspace_.take({steps, rows}, DType::i32), workspace_.take({steps, rows})};
}

void Generator::sample(const Parameters& parameters, ConstView hidden, ConstView episodes,
                       ConstView positions, const GenerationRule& rule, const Sampled& sampled) {
  const ConstView logits = head_.logits(parameters, workspace_, hidden);  // (B,V)
  device_->backend().sample(device_->queue(), sampled.tokens, sampled.logprobs, logits, episodes,
                            positions, rule.sampling, head_.vocabulary_parts());
}

void Generator::collect(const Sampled& sampled, std::span<Live*> sequences,
                        const GenerationRule& rule) {
  const auto tokens = device_->to_host<std::int32_t>(sampled.tokens);
  const auto logprobs = device_->to_host<float>(sampled.logprobs);
  const auto rows = static_cast<std::size_t>(sampled.tokens.extent(1));
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    Generated& result = sequences[b]->result;
    for (std::size_t i = b; i < tokens.size() && !is_complete(result, rule); i += rows) {
      result.response.push_back(tokens[i]);
      result.logprobs.push_back(logprobs[i]);
      result.ended = stage_.config().ends_with(tokens[i]);
    }
  }
}

void Generator::retire(const GenerationRule& rule,
                       const std::function<void(Generated&&)>& finished) {
  std::erase_if(live_, [&](const std::unique_ptr<Live>& live) {
    Generated& result = live->result;
    if (!is_complete(result, rule)) {
      return false;
    }
    cache_->release(live->cache_sequence);
    finished(std::move(result));
    return true;
  });
}

}  // namespace precis
