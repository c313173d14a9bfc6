"""What a folder name says: a split, a part of a set, masks of other pictures, or nothing in particular."""

from __future__ import annotations

import re
import unicodedata

TRAIN = ("train", "training", "trn", "trainset", "traindata", "trainval")
TEST = (  # the first one that is there becomes the test set
    "test", "testing", "tst", "testset", "testdata", "val", "valid", "validation", "validate", "eval", "evaluation",
    "dev", "holdout",
)  # fmt: skip
LABELLED = frozenset("labeled labelled annotated supervised".split())  # for training, where no other split is named
NEUTRAL = frozenset(  # words beside those that leave a name a split's: "seg_train", "train_images", "Test Set"
    "set sets data dataset image images img imgs pic pics picture pictures photo photos split splits folder seg new "
    "files samples jpg jpeg png raw processed resized cropped original originals dir the".split()
)
UNLABELLED = frozenset("unlabeled unlabelled unsup unsupervised nolabel nolabels extra".split())
IMAGES = frozenset("image images img imgs jpg jpeg original originals rgb".split())  # words beside which masks lie
TARGETS = frozenset(  # words for pictures that say what is in other ones; ground truth and gt, too
    "mask masks annotation annotations ann anns anno annos label labels trimap trimaps segmentation segmentations "
    "segmim groundtruth groundtruths truth truths gt gts map maps target targets".split()
)
DERIVED = frozenset(  # words for folders of pictures that were made of others, if the files are named alike
    "segmented overlay overlays contour contours outline outlines edge edges manual".split()
)
WORN = frozenset("no non not with without".split())  # words beside "mask" in names of classes
PART = re.compile(
    r"(.*[ _-])?((fold|split|part|batch|chunk|shard|set|subset)([ _-]*\d+|[ _-]+[a-z])|(tr|te|va|ts)([ _-].*)?)"
)
VERSION = re.compile(r"v(er|ersion)?[ _.-]*\d+([._]\d+)*|(19|20)\d\d")
YEAR = re.compile(r".*(?<!\d)(19|20)\d\d")


OTHER_LANGUAGES = (  # words for splits: whole ones in Latin letters without accents, and beginnings in other scripts
    "entrenamiento entreno prueba pruebas ensayo validacion treino treinamento treinar teste testes validacao "
    "apprentissage entrainement essai essais addestramento allenamento collaudo validazione convalida "
    "trainingsdaten trainingsset testdaten testset prufung validierung oefenen toets validatie "
    "trening treningowe treningowy uczenie uczacy testowe testowy walidacja trenink trenovaci testovaci "
    "traning testning validering koulutus opetus testi validointi egitim dogrulama sinama tanito teszt "
    "antrenare antrenament testare treniranje testiranje luyen kiem latih pelatihan uji pengujian validasi"
).split(), (
    "обуч трениров тест провер валидац навчан тренуван перевір εκπαιδευσ δοκιμ تدريب اختبار آموزش آزمون אימון בדיקה "
    "מבחן प्रशिक्षण परीक्षण 訓練 训练 測試 测试 驗證 验证 学習 テスト 検証 評価 훈련 학습 테스트 시험 검증 ฝึก ทดสอบ"
).split()  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a folder name in lower case, numbers left out: ``TrainImages_2017`` is train, images."""
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", name).lower())


def split_word(name: str) -> str | None:
    """The word of a folder name that names a split, if all its other words are neutral; else None.

    ``labeled`` alone is as good as ``train``.
    """
    found = [word for word in words(name) if word in TRAIN + TEST]
    rest = {word for word in words(name) if word not in TRAIN + TEST}
    if not found and rest & LABELLED:
        found = ["train"]
    return found[0] if len(set(found)) == 1 and rest <= NEUTRAL | LABELLED else None


def is_train(name: str) -> bool:
    return split_word(name) in TRAIN


def is_test(name: str) -> bool:
    return split_word(name) in TEST


def is_unlabelled(name: str) -> bool:
    """Whether a folder name says that its pictures have no labels, as ``unlabeled`` and ``unsup``."""
    return bool(UNLABELLED & {*words(name)})


def for_tests(name: str) -> bool:
    """Whether a folder name has a word for a test split in it, as ``unlabeled_test``."""
    return not {*TEST}.isdisjoint(words(name))


def has_no_class(name: str) -> bool:
    """Whether a folder name says no more than that its pictures have no labels: ``unlabeled``, ``unlabeled_test``."""
    found = {*words(name)}
    return bool(found & (UNLABELLED - {"extra"})) and found <= UNLABELLED | NEUTRAL | {*TRAIN, *TEST}


def is_neutral(name: str) -> bool:
    """Whether all words of a folder name are neutral, as in ``images``; a name without letters is not."""
    return bool(words(name)) and NEUTRAL.issuperset(words(name))


def is_target(name: str) -> bool:
    """Whether a folder name says that its pictures belong to other ones: ``masks``, ``SegmentationClass``."""
    found = words(name)
    return bool(TARGETS & {*found}) and {*found} <= TARGETS | NEUTRAL | {"class", "object", "ground", *TRAIN, *TEST}


def names_target(name: str) -> bool:
    """Whether a folder name has a word for targets in it, whatever the others are: ``lung masks``, ``1st_manual``.

    ``with_mask`` and ``no_mask`` are classes.
    """
    found = {*words(name)}
    return not found.isdisjoint(TARGETS | DERIVED) and found.isdisjoint(WORN)


def names_images(name: str) -> bool:
    """Whether a folder name has a word for images in it: ``images``, ``img_dir``, ``rainy_image``."""
    return not IMAGES.isdisjoint(words(name))


def looks_like_split(name: str) -> bool:
    """Whether a folder name has a word for a split in it, or counts parts: ``train_a``, ``fold 3``, ``treino``."""
    return bool({*TRAIN, *TEST} & {*words(name)}) or PART.fullmatch(name.lower()) is not None or is_foreign(name)


def is_foreign(name: str) -> bool:
    """Whether a folder name has a word for a split in another language than English: ``treino``, ``測試集``."""
    plain = without_accents(name)
    whole, parts = OTHER_LANGUAGES
    return not {*whole}.isdisjoint(re.split(r"[\W\d_]+", plain)) or any(
        without_accents(part) in plain for part in parts
    )


def without_accents(text: str) -> str:
    """Text in lower case without accents and other marks on its letters; ``ı`` counts as ``i``."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def subject(name: str) -> tuple[str, ...]:
    """The words of a folder name that are neither neutral nor a split's: ``rps-test-set`` is about rps."""
    return tuple(word for word in words(name) if word not in (*TRAIN, *TEST) and word not in NEUTRAL)


def has_year(name: str) -> bool:
    """Whether a folder name ends in a year: ``VOC2012``."""
    return YEAR.fullmatch(name) is not None


def is_part(name: str) -> bool:
    """Whether a folder name counts parts, versions or years, or has a word for a split: ``fold 3``, ``v2``, 2019."""
    return looks_like_split(name) or VERSION.fullmatch(name.lower()) is not None
