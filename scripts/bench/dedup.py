#!/usr/bin/env python3
"""Near-duplicate removal beside its peers, in one run, on real functions with planted copies.

    scripts/bench/dedup.py [--documents 150000] [--peers 20000] [--json]

Every tool runs in a process of its own on the same texts, at a Jaccard of 0.7 over word 5-grams, after a small warm-up
that is not counted (compiled code, imports). Peers that need minutes for the whole corpus get its first `--peers`
texts, datatrove a quarter of that; their planted pairs are those within that part.

recall: of the planted pairs at an exact similarity of 0.7 (0.8) or more, those of which at most one survives.
kept_similarity_share: of the removed documents, those that are 0.7 similar to the survivor of their cluster.
Similarities are computed in plain Python, apart from any tool.
"""

import argparse
import json
import multiprocessing as mp
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
from dedup_corpus import CLONES, WORD, Corpus, Planted, corpus, resident_mb, similarity  # noqa: E402

SIMILARITY = 0.7


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool removed: survivor_of[i] is the survivor for which text i went."""

    survivor_of: dict[int, int]
    cpu_seconds: float
    peak_rss_mb: float


def _grams(text: str) -> list[str]:
    words = WORD.findall(text)
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def _survivors(edges: list[tuple[int, int]], count: int) -> dict[int, int]:
    """Clusters by union-find, the first text of each kept: what every peer's users do."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in edges:
        x, y = root(a), root(b)
        parent[max(x, y)] = min(x, y)
    return {i: root(i) for i in range(count) if root(i) != i}


def hornbook(texts: list[str], *, clones: bool = False) -> dict[int, int]:
    """`Distinct` over passages, with the recipe's defaults; with `clones`, renamed clones go too."""
    from pipeline.core.records import Passage
    from pipeline.core.stage import Dropped
    from pipeline.recipe import DistinctTable
    from pipeline.stages.distinct.stage import Distinct

    records = [Passage(text=text) for text in texts]
    number = {record.id: i for i, record in enumerate(records)}
    table = DistinctTable(similarity=SIMILARITY, clones=clones)
    started = time.process_time()
    outcomes = list(Distinct(table)(records))
    hornbook.cpu_seconds = time.process_time() - started  # type: ignore[attr-defined]
    return {number[o.record.id]: number[o.kept_id] for o in outcomes if isinstance(o, Dropped)}


def hornbook_clones(texts: list[str]) -> dict[int, int]:
    """The same with renamed clones."""
    result = hornbook(texts, clones=True)
    hornbook_clones.cpu_seconds = hornbook.cpu_seconds  # type: ignore[attr-defined]
    return result


def rensa(texts: list[str]) -> dict[int, int]:
    """rensa: 128 permutations, 16 bands, candidates checked by signature."""
    from rensa import RMinHash, RMinHashLSH

    hashes = RMinHash.from_token_sets([_grams(text) for text in texts], 128, 42)
    index = RMinHashLSH(SIMILARITY, 128, 16)
    index.insert_many(hashes, 0)
    edges = []
    for i, found in enumerate(index.query_all(hashes)):
        edges += [(i, j) for j in found if j < i and hashes[i].jaccard(hashes[j]) >= SIMILARITY]
    return _survivors(edges, len(texts))


def datasketch(texts: list[str]) -> dict[int, int]:
    """datasketch: MinHashLSH with 128 permutations, its own choice of bands, candidates checked by signature."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=SIMILARITY, num_perm=128)
    hashes = []
    edges = []
    for i, text in enumerate(texts):
        minhash = MinHash(num_perm=128)
        minhash.update_batch([gram.encode() for gram in set(_grams(text))])
        edges += [(i, j) for j in index.query(minhash) if minhash.jaccard(hashes[j]) >= SIMILARITY]
        index.insert(i, minhash)
        hashes.append(minhash)
    return _survivors(edges, len(texts))


def datatrove(texts: list[str]) -> dict[int, int]:
    """datatrove: its four stages with 14 buckets of 8, one task, words split as here."""
    import datatrove.pipeline.dedup.minhash as stages
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    stages.load_word_tokenizer = lambda language: SimpleNamespace(word_tokenize=WORD.findall)  # its own needs spaCy
    # sha1, because its xxhash call fails with xxhash 4
    hashing = HashConfig(precision=64, hash_fc="sha1")
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=hashing)
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        MinhashDedupSignature(f"{folder}/signatures", config).run(iter(documents), 0, 1)
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(
                None, bucket, config.num_buckets
            )
        cluster = MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config, save_cluster_id=True)
        cluster.run(None, 0, 1)
        kept = list(MinhashDedupFilter(f"{folder}/remove", load_cluster_ids=True).run(iter(documents), 0, 1))
    survivor = {
        d.metadata.get("minhash_cluster_id", -1): int(d.id)
        for d in kept
        if d.metadata.get("minhash_cluster_id", -1) != -1
    }
    kept_ids = {int(d.id) for d in kept}
    return {
        i: survivor[d.metadata.get("minhash_cluster_id", -1)]
        for i, d in enumerate(documents)
        if i not in kept_ids and d.metadata.get("minhash_cluster_id", -1) in survivor
    }


TOOLS: dict[str, Callable[[list[str]], dict[int, int]]] = {
    "hornbook": hornbook,
    "hornbook_clones": hornbook_clones,
    "rensa": rensa,
    "datasketch": datasketch,
    "datatrove": datatrove,
}


def _cpu() -> float:
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _child(tool: str, texts: list[str], sender: Any) -> None:
    try:
        TOOLS[tool](texts[:300])
        start_rss = resident_mb(reset=True)
        started = _cpu()
        survivor_of = TOOLS[tool](texts)
        cpu = getattr(TOOLS[tool], "cpu_seconds", _cpu() - started)
        sender.send(Outcome(survivor_of, cpu, resident_mb() - start_rss))
    except Exception as error:
        print(f"{tool}: {type(error).__name__}: {error}", file=sys.stderr)
        sender.send(None)


def measured(tool: str, texts: list[str]) -> Outcome | None:
    """The tool's outcome in a fresh process; None where it does not install or run."""
    context = mp.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(tool, texts, sender))
    process.start()
    sender.close()
    try:
        outcome: Outcome | None = receiver.recv()
    except EOFError:
        outcome = None
    process.join()
    return outcome


def judged(
    outcome: Outcome, texts: list[str], planted: list[tuple[Planted, float]], *, near_only: bool
) -> dict[str, float | None]:
    """The figures of one tool. near_only: whether all it removes should be similar in its words (clones are not)."""
    gone = outcome.survivor_of

    def recall(pairs: list[Planted]) -> float | None:
        return sum(p.original in gone or p.copy in gone for p in pairs) / len(pairs) if pairs else None

    close = sum(similarity(texts[i], texts[s]) >= SIMILARITY for i, s in gone.items()) if near_only else 0
    figures: dict[str, float | None] = {
        "documents_per_cpu_second": len(texts) / outcome.cpu_seconds,
        "peak_rss_mb": outcome.peak_rss_mb,
        "recall_07": recall([p for p, s in planted if s >= 0.7]),
        "recall_08": recall([p for p, s in planted if s >= 0.8]),
        "kept_similarity_share": close / len(gone) if gone and near_only else None,
        "removed": len(gone),
    }
    for change in CLONES:
        figures[f"recall_{change}"] = recall([p for p, _ in planted if p.change == change])
    return figures


def part(whole: Corpus, count: int) -> Corpus:
    """The first `count` texts and the pairs within them."""
    inside = [p for p in whole.planted if p.original < count and p.copy < count]
    return Corpus(whole.texts[:count], inside)


def main() -> None:
    parser = argparse.ArgumentParser(description="Near-duplicate removal beside its peers.")
    parser.add_argument("--documents", type=int, default=150_000)
    parser.add_argument("--peers", type=int, default=20_000, help="texts for datasketch; a quarter for datatrove")
    parser.add_argument("--tools", nargs="*", default=list(TOOLS), choices=list(TOOLS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    whole = corpus(arguments.documents)
    exact = [(p, similarity(whole.texts[p.original], whole.texts[p.copy])) for p in whole.planted]
    similar = {(p.original, p.copy): s for p, s in exact}
    sizes = {"datasketch": arguments.peers, "datatrove": arguments.peers // 4}
    report: dict[str, Any] = {"documents": len(whole.texts), "planted": len(whole.planted), "tools": {}}
    for tool in arguments.tools:
        these = part(whole, min(sizes.get(tool, len(whole.texts)), len(whole.texts)))
        outcome = measured(tool, these.texts)
        figures = None
        if outcome is not None:
            pairs = [(p, similar[p.original, p.copy]) for p in these.planted]
            figures = judged(outcome, these.texts, pairs, near_only=tool != "hornbook_clones")
            figures["documents"] = len(these.texts)
        report["tools"][tool] = figures
        if not arguments.json:
            _show(tool, figures)
    if arguments.json:
        print(json.dumps(report, indent=1))


def _show(tool: str, figures: dict[str, float | None] | None) -> None:
    if figures is None:
        print(f"{tool:16} does not run here")
        return
    print(f"{tool:16} " + "  ".join(f"{k} {v:,.3f}" if v is not None else f"{k} -" for k, v in figures.items()))


if __name__ == "__main__":
    main()
