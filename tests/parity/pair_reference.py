"""Prompt-to-Prompt pairs in PyTorch: diffusers' UNet2DConditionModel with attention processors that share maps,
AutoencoderKL, transformers' CLIP text encoder. Written plainly from the method's description; no speed is sought but
for `fused`, which is what the benchmark compares with."""

import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from scipy import ndimage
from transformers import CLIPTextModel, CLIPTokenizer

OWNERS = [0, 0, 2, 2]  # row 1 takes the maps of row 0, row 3 those of row 2


class SharingProcessor:
    """Attention of diffusers' Attention blocks; self-attention takes the owners' maps while `state.share`."""

    def __init__(self, state, fused):
        self.state, self.fused = state, fused

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        share = encoder_hidden_states is None and self.state.share
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        if self.fused:
            if share:  # equal queries and keys have equal maps
                q, k = q[OWNERS], k[OWNERS]
            q, k, v = (x.unflatten(2, (attn.heads, -1)).transpose(1, 2) for x in (q, k, v))
            out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        else:
            q, k, v = (attn.head_to_batch_dim(x) for x in (q, k, v))
            maps = attn.get_attention_scores(q, k)
            if share:
                maps = maps.unflatten(0, (-1, attn.heads))[OWNERS].flatten(0, 1)
            out = attn.batch_to_head_dim(torch.bmm(maps, v))
        return attn.to_out[1](attn.to_out[0](out))


class PairReference:
    """Weights of a diffusers folder. `pair` makes one sample, as the original does, one after the other."""

    def __init__(self, folder, dtype=torch.float32, fused=False, vae=None):
        folder = pathlib.Path(folder)
        options = dict(torch_dtype=dtype, local_files_only=True)
        self.dtype, self.share = dtype, False
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", **options).eval()
        self.vae = AutoencoderKL.from_pretrained(vae or folder / "vae", **options).eval()
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype, local_files_only=True).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        self.schedule = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.unet.set_attn_processor(SharingProcessor(self, fused))
        if dtype == torch.bfloat16:  # diffusers' own advice for convolutions
            self.unet.to(memory_format=torch.channels_last)
            self.vae.to(memory_format=torch.channels_last)

    def sigmas(self, steps):
        """k-diffusion's: even in time, log-linear between the training schedule's levels, then zero."""
        abar = self.schedule.alphas_cumprod.double()
        logs = ((1 - abar) / abar).sqrt().log()
        last = len(logs) - 1
        times = torch.linspace(last, 0, steps, dtype=torch.float64) if steps > 1 else torch.tensor([float(last)])
        low = times.floor().long()
        high = times.ceil().long()
        return [*((1 - (times - low)) * logs[low] + (times - low) * logs[high]).exp().tolist(), 0.0], times.tolist()

    @torch.no_grad()
    def encode(self, texts):
        ids = self.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.text(ids).last_hidden_state

    @torch.no_grad()
    def region(self, photo, text):
        """Where DiffEdit's comparison of two captions [2,77,D] finds a difference, [1,1,h,w]; None: nearly everywhere.
        At sigma 1, mean of eight noises, over 0.35 of the 98th percentile, and a latent pixel around it; without the
        connected parts that differ by less than half as much as another one."""
        generator = torch.Generator().manual_seed(77)
        time, difference = self.time_of(1.0), 0
        self.share = False
        for _ in range(8):
            x = (photo + torch.randn(photo.shape, generator=generator)).repeat(2, 1, 1, 1)
            before, after = self.denoised(x, 1.0, self.unet((x / math.sqrt(2)).to(self.dtype), time, text).sample.float())
            difference = difference + (after - before)[None]
        strength = difference.abs().amax(1, keepdim=True)
        changed = strength > 0.35 * strength.quantile(0.98)
        if F.max_pool2d(changed.float(), 3, 1, 1).mean() > 0.35:
            return None
        parts, count = ndimage.label(changed[0, 0], structure=np.ones((3, 3)))
        most = ndimage.maximum(strength[0, 0], parts, range(1, count + 1))
        strong = np.isin(parts, [part for part, value in enumerate(most, 1) if value > 0.5 * max(most)])
        return F.max_pool2d(torch.from_numpy(strong)[None, None].float(), 3, 1, 1) > 0

    def time_of(self, sigma):
        """Back from a noise level to a time between the training schedule's, linear in the logarithm."""
        abar = self.schedule.alphas_cumprod.double()
        logs = ((1 - abar) / abar).sqrt().log()
        high = int((logs < math.log(sigma)).sum())
        low = high - 1
        return low + ((math.log(sigma) - logs[low]) / (logs[high] - logs[low])).item()

    @torch.no_grad()
    def pair(self, caption, output, seed, steps, resolution, p2p=(0.1, 0.9), cfg=(7.5, 15), on_step=None, photo=None,
             common_steps=0):
        """(images [2,3,H,W] in 0..1, p2p_threshold, cfg_scale). photo [1,3,H,W] in 0..1 is the first image."""
        text = self.encode(["", "", caption, output])
        generator = torch.Generator().manual_seed(seed)
        side = resolution // 2 ** (len(self.vae.config.block_out_channels) - 1)
        shape = (1, self.vae.config.latent_channels, side, side)
        sigmas, times = self.sigmas(steps)
        x = (torch.randn(shape, generator=generator) * sigmas[0]).repeat(2, 1, 1, 1)
        p2p_threshold = p2p[0] + torch.rand((), generator=generator).item() * (p2p[1] - p2p[0])
        cfg_scale = cfg[0] + torch.rand((), generator=generator).item() * (cfg[1] - cfg[0])
        kept, region = None, None
        if photo is not None:
            kept = self.vae.encode((2 * photo - 1).to(self.dtype)).latent_dist.mode().float() * self.vae.config.scaling_factor
            region = self.region(kept, text[2:])
        for i, (sigma, following) in enumerate(zip(sigmas, sigmas[1:])):
            if kept is not None and i < common_steps * steps:
                denoised = kept
            else:
                self.share = p2p_threshold > (i / (steps - 1) if steps > 1 else 0)
                denoised = self.denoise(x, sigma, times[i], text, cfg_scale)
                if kept is not None:
                    after = denoised[1:] if region is None else torch.where(region, denoised[1:], kept)
                    denoised = torch.cat([kept, after])
            up = min(following, math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
            down = math.sqrt(following**2 - up**2)
            x = x + (x - denoised) / sigma * (down - sigma)
            if following > 0:
                x = x + torch.randn(shape, generator=generator) * up
            if on_step:
                on_step(i)
        images = self.decode(x)
        if photo is not None:
            images[:1] = photo
        return images, p2p_threshold, cfg_scale

    def denoise(self, x, sigma, time, text, cfg_scale):
        inputs = (torch.cat([x, x]) / math.sqrt(sigma**2 + 1)).to(self.dtype)
        out = self.unet(inputs, torch.full((4,), time), text).sample.float()
        uncond, cond = out.chunk(2)
        return self.denoised(x, sigma, uncond + cfg_scale * (cond - uncond))

    def denoised(self, x, sigma, out):
        if self.schedule.config.prediction_type == "v_prediction":
            return x / (sigma**2 + 1) - out * sigma / math.sqrt(sigma**2 + 1)
        return x - sigma * out

    def decode(self, x):
        images = self.vae.decode((x / self.vae.config.scaling_factor).to(self.dtype)).sample.float()
        return ((images + 1) / 2).clamp(0, 1)
